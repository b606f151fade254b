"""The learning proof: small traces of tool calls, tasks that were not among them, and who makes the right call.

    learn.py make FOLDER                        traces.jsonl to train on, tasks.jsonl that are held out
    learn.py score MODEL TASKS TEMPLATE [ADAPTER]   greedy decoding with transformers (and peft); the last line is JSON

A held-out task has a wording that no trace has, and arguments that no trace has. The choices are drawn from fixed seeds: the
same traces each time.
"""

import argparse
import json
import pathlib
import random
import re
import sys

SYSTEM = "Call one function. Answer with the call alone."


def tool(name, description, **properties):
    schema = {"type": "object", "properties": {key: {"type": kind} for key, kind in properties.items()}}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


TOOLS = [
    tool("get_weather", "Weather of a city", city="string", day="string"),
    tool("set_timer", "Starts a timer", minutes="integer"),
    tool("send_message", "Sends a text to a person", to="string", text="string"),
    tool("convert_money", "Converts money", amount="number", source="string", target="string"),
    tool("add_to_list", "Puts an item on a list", list="string", item="string"),
]

# What a task asks for, how, and with which arguments; what is held out has wordings and arguments of its own.
WORDINGS = {
    "get_weather": {
        "seen": [
            "What is the weather in {city} {day}?", "Will it rain in {city} {day}?", "Tell me the weather {day} in {city}.",
            "How warm will it be {day} in {city}?", "Weather for {city} {day}, please.", "Is it sunny {day} in {city}?",
        ],
        "held": [
            "Do I need an umbrella in {city} {day}?", "I travel to {city} {day}. What will the sky be like?",
            "{city} {day}: cold or warm?", "Give me the forecast of {city} for {day}.",
        ],
    },
    "set_timer": {
        "seen": [
            "Set a timer for {minutes} minutes.", "Start a {minutes} minute timer.", "Wake me in {minutes} minutes.",
            "Timer: {minutes} minutes.", "Count down {minutes} minutes for me.", "The eggs need {minutes} minutes, start the clock.",
        ],
        "held": [
            "Let me know when {minutes} minutes are over.", "I want to nap for {minutes} minutes, start a timer.",
            "The pasta takes {minutes} minutes. Time it.", "Ring after {minutes} minutes, please.",
        ],
    },
    "send_message": {
        "seen": [
            "Tell {to}: {text}", "Send {to} a message: {text}", "Message {to} that says: {text}", "Write to {to}: {text}",
            "Text {to}: {text}", "Let {to} know: {text}",
        ],
        "held": [
            "Please pass this on to {to}: {text}", "{to} should get this from me: {text}", "Drop {to} a line: {text}",
            "I want {to} to read this: {text}",
        ],
    },
    "convert_money": {
        "seen": [
            "Convert {amount} {source} to {target}.", "How much is {amount} {source} in {target}?",
            "Change {amount} {source} into {target}.", "What are {amount} {source} worth in {target}?",
            "{amount} {source} in {target}, please.", "Turn {amount} {source} into {target}.",
        ],
        "held": [
            "If I have {amount} {source}, how many {target} do I get?", "Give me the value of {amount} {source} as {target}.",
            "I owe {amount} {source}. What is that in {target}?", "Exchange {amount} {source} for {target}.",
        ],
    },
    "add_to_list": {
        "seen": [
            "Put {item} on my {list} list.", "Add {item} to the {list} list.", "My {list} list needs {item}.",
            "Write {item} on the {list} list.", "{item} goes on the {list} list.", "Note {item} on my {list} list.",
        ],
        "held": [
            "Do not let me forget {item}, it belongs on the {list} list.", "The {list} list should also have {item}.",
            "Extend my {list} list by {item}.", "Please include {item} in the {list} list.",
        ],
    },
}
ARGUMENTS = {
    "city": {
        "seen": ["Paris", "Rome", "Tokyo", "Cairo", "Lima", "Oslo", "Berlin", "Madrid", "Boston", "Delhi", "Vienna", "Seoul"],
        "held": ["Dublin", "Athens", "Chicago", "Prague", "Sydney", "Havana", "Toronto", "Warsaw"],
    },
    "day": {"seen": ["today", "tomorrow", "on Monday", "on Friday", "tonight"], "held": ["on Sunday", "on Tuesday"]},
    "minutes": {"seen": [5, 10, 12, 15, 20, 25, 30, 40, 45, 60, 3, 8], "held": [7, 14, 22, 35, 50, 18, 9, 55]},
    "to": {
        "seen": ["Anna", "Ben", "Carla", "David", "Emma", "Frank", "Grace", "Henry", "Ivan", "Julia"],
        "held": ["Kate", "Leo", "Maria", "Nora", "Oscar", "Paul"],
    },
    "text": {
        "seen": [
            "I am late.", "Dinner is at eight.", "Call me back.", "The train is full.", "Bring the keys.", "I found the book.",
            "See you at noon.", "The meeting moved.", "Happy birthday!",
        ],
        "held": [
            "I lost my phone.", "The door is open.", "Lunch is ready.", "Buy some milk.", "We won the game!", "Wait for me.",
        ],
    },
    "amount": {"seen": [100, 20, 50, 75, 250, 12, 400, 30, 999, 60], "held": [80, 35, 120, 500, 15, 640]},
    "source": {"seen": ["USD", "EUR", "JPY", "GBP", "CHF"], "held": ["SEK", "CAD", "INR", "NOK"]},
    "target": {"seen": ["GBP", "USD", "CHF", "EUR", "JPY"], "held": ["CAD", "INR", "NOK", "SEK"]},
    "item": {
        "seen": ["milk", "bread", "apples", "soap", "paint", "tea", "candles", "rice", "batteries", "a rope", "cheese", "salt"],
        "held": ["honey", "a hammer", "lemons", "socks", "coffee", "stamps", "butter", "glue"],
    },
    "list": {"seen": ["shopping", "hardware", "party", "holiday", "office"], "held": ["garden", "kitchen", "school"]},
}


def tasks(part, count):
    """`count` tasks of every tool, each with its wording and its arguments, no two alike."""
    made, known = [], set()
    for place in range(count):
        for described in TOOLS:
            name = described["function"]["name"]
            draw = random.Random(f"{part} {name} {place}")
            while True:
                arguments = {
                    key: draw.choice(ARGUMENTS[key][part]) for key in described["function"]["parameters"]["properties"]
                }
                # The first ones of a tool go through all of its wordings.
                wording = WORDINGS[name][part][place % len(WORDINGS[name][part])]
                asked = wording.format(**arguments)
                if asked not in known and arguments.get("source", 0) != arguments.get("target", 1):
                    break
            known.add(asked)
            if name == "get_weather":
                arguments["day"] = arguments["day"].removeprefix("on ")
            made.append({"asked": asked[0].upper() + asked[1:], "name": name, "arguments": arguments})
    return made


def messages(task, answered):
    call = {"id": "call_0", "type": "function", "function": {"name": task["name"], "arguments": task["arguments"]}}
    asked = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": task["asked"]}]
    return asked + ([{"role": "assistant", "content": "", "tool_calls": [call]}] if answered else [])


def make(folder, traces, held):
    folder.mkdir(parents=True, exist_ok=True)
    seen, held = tasks("seen", traces), tasks("held", held)
    known = {task["asked"] for task in seen}
    assert len({task["asked"] for task in held} - known) == len(held), "a held-out task stands twice or among the traces"
    with open(folder / "traces.jsonl", "w", encoding="utf-8") as file:
        for task in seen:
            file.write(json.dumps({"messages": messages(task, True), "tools": TOOLS}) + "\n")
    with open(folder / "tasks.jsonl", "w", encoding="utf-8") as file:
        for task in held:
            right = {"name": task["name"], "arguments": task["arguments"]}
            file.write(json.dumps({"messages": messages(task, False), "tools": TOOLS, "right": right}) + "\n")
    print(json.dumps({"traces": len(seen), "tasks": len(held), "first": seen[:5], "held": held[:5]}))


def strict_call(text):
    """The call in the tags that the template shows, and nothing else."""
    found = re.fullmatch(r"\s*<tool_call>\s*(\{.*\})\s*</tool_call>\s*", text, re.S)
    try:
        return json.loads(found[1]) if found else None
    except ValueError:
        return None


def any_call(text):
    """The first JSON object anywhere in the text that has a name and arguments: what a forgiving parser would take."""
    decoder = json.JSONDecoder()
    for place in (index for index, letter in enumerate(text) if letter == "{"):
        try:
            found, _ = decoder.raw_decode(text[place:])
        except ValueError:
            continue
        if isinstance(found, dict) and "name" in found and "arguments" in found:
            return {"name": found["name"], "arguments": found["arguments"]}
    return None


def same(found, right):
    """Equal names and arguments; the sentence mark at a text's end does not matter, nor do capitals."""
    def plain(value):
        return value.strip().rstrip(".!").lower() if isinstance(value, str) else value
    if not found or found.get("name") != right["name"] or not isinstance(found.get("arguments"), dict):
        return False
    return {key: plain(value) for key, value in found["arguments"].items()} == {
        key: plain(value) for key, value in right["arguments"].items()
    }


def score(model_folder, tasks_file, template, adapter):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32)
    if adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    model.eval()
    text = pathlib.Path(template).read_text(encoding="utf-8")
    result = {"n": 0, "strict": 0, "any": 0, "named": 0, "tasks": []}
    with open(tasks_file, encoding="utf-8") as file:
        for line in file:
            task = json.loads(line)
            given = tokenizer.apply_chat_template(
                task["messages"], tools=task["tools"], chat_template=text, add_generation_prompt=True, return_tensors="pt",
                return_dict=True,
            )
            with torch.no_grad():
                written = model.generate(
                    **given, max_new_tokens=64, do_sample=False, pad_token_id=0,
                    eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
                )
            said = tokenizer.decode(written[0][given["input_ids"].shape[1]:], skip_special_tokens=True)
            strict, loose = strict_call(said), any_call(said)
            result["n"] += 1
            result["strict"] += same(strict, task["right"])
            result["any"] += same(loose, task["right"])
            result["named"] += bool(loose) and loose.get("name") == task["right"]["name"]
            result["tasks"].append({
                "asked": task["messages"][-1]["content"], "said": said, "right": bool(same(strict, task["right"])),
            })
            print(f"{'+' if same(strict, task['right']) else '-'} {task['messages'][-1]['content']} -> {said!r}", file=sys.stderr)
    print(json.dumps(result))


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("folder", type=pathlib.Path)
    making.add_argument("--traces", type=int, default=20, help="of each tool")
    making.add_argument("--held", type=int, default=8, help="of each tool")
    scoring = commands.add_parser("score")
    scoring.add_argument("model")
    scoring.add_argument("tasks")
    scoring.add_argument("template")
    scoring.add_argument("adapter", nargs="?")
    arguments = parser.parse_args()
    if arguments.command == "make":
        make(arguments.folder, arguments.traces, arguments.held)
    else:
        score(arguments.model, arguments.tasks, arguments.template, arguments.adapter)


if __name__ == "__main__":
    main()
