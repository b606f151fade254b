//! One answer at a time.

use candle_core::DType;
use tw_infer::{Engine, Model, Options, Reason, Request, Sampling};
use tw_model::decoder::logits;
use tw_model::{Layout, Weights};

use crate::support::{LLAMA, QWEN2, QWEN3, adapter, ask, engine, folder, greedy, small, tokens};

#[test]
fn greedy_answers_are_those_of_the_whole_forward_at_every_token() {
    for (name, config) in [("qwen3", QWEN3), ("qwen2", QWEN2), ("llama", LLAMA)] {
        for dtype in [DType::F32, DType::BF16] {
            let folder = folder(config, dtype);
            let weights = Weights::read(folder.path()).unwrap();
            let engine = Engine::start(Model::read(folder.path()).unwrap(), &small()).unwrap();
            let prompt = tokens(name, 75);
            let answer = ask(&engine, greedy(&prompt, 40));
            let mut row = prompt;
            for token in &answer.tokens {
                let last = u32::try_from(row.len() - 1).unwrap();
                let scores = logits(&weights, &weights, &row, &Layout::row(row.len()), &[last]).unwrap();
                let scores: Vec<f32> = scores.flatten_all().unwrap().to_vec1().unwrap();
                let best = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
                assert_eq!(token.id as usize, best, "{name} {dtype:?} after {} tokens", row.len());
                let most = scores[best];
                let sum: f32 = scores.iter().map(|score| (score - most).exp()).sum();
                let logprob = -sum.ln();
                assert!((token.logprob.unwrap() - logprob).abs() < 1e-4, "{name}: {token:?} and {logprob}");
                row.push(token.id);
            }
        }
    }
}

#[test]
fn a_beginning_from_the_cache_gives_the_same_bits() {
    let engine = engine(QWEN3, &small());
    let prompt = tokens("prompt", 150);
    let first = ask(&engine, greedy(&prompt, 30));
    assert_eq!(first.ended.cached_tokens, 0);
    let second = ask(&engine, greedy(&prompt, 30));
    assert_eq!(second.ended.cached_tokens, 128, "whole blocks, and at least one token is computed");
    assert_eq!(first.tokens, second.tokens);
    // A conversation that goes on finds its own answer computed, too.
    let mut longer = prompt;
    longer.extend(first.ids());
    longer.extend(tokens("more", 10));
    let third = ask(&engine, greedy(&longer, 5));
    assert_eq!(third.ended.cached_tokens, 160);
    let fresh = self::engine(QWEN3, &small());
    assert_eq!(third.tokens, ask(&fresh, greedy(&longer, 5)).tokens);
}

#[test]
fn how_a_prompt_is_cut_and_how_many_threads_there_are_changes_no_bit() {
    let prompt = tokens("prompt", 200);
    let wanted = ask(&engine(QWEN2, &small()), greedy(&prompt, 20)).tokens;
    for (piece, threads) in [(32, 1), (256, 1), (96, 3), (256, 4)] {
        let options = Options { prompt_piece: piece, threads, ..small() };
        assert_eq!(ask(&engine(QWEN2, &options), greedy(&prompt, 20)).tokens, wanted, "{piece} {threads}");
    }
}

#[test]
fn seeds_repeat_and_differ() {
    let engine = engine(LLAMA, &small());
    let prompt = tokens("prompt", 40);
    let warm = |seed| Request {
        sampling: Sampling { temperature: 1.0, top_p: 0.9, top_k: 50, seed, ..Sampling::default() },
        ..greedy(&prompt, 25)
    };
    let one = ask(&engine, warm(Some(1))).ids();
    assert_eq!(ask(&engine, warm(Some(1))).ids(), one);
    assert_ne!(ask(&engine, warm(Some(2))).ids(), one);
    assert_ne!(ask(&engine, warm(None)).ids(), ask(&engine, warm(None)).ids());
}

#[test]
fn an_answer_ends_at_a_stop_token_which_is_no_part_of_it() {
    let engine = engine(QWEN3, &small());
    let prompt = tokens("prompt", 20);
    let ids = ask(&engine, greedy(&prompt, 20)).ids();
    let stop = ids[7];
    let at = ids.iter().position(|id| *id == stop).unwrap();
    let stopped = ask(&engine, Request { stop_tokens: vec![stop], ..greedy(&prompt, 20) });
    assert_eq!((stopped.ids(), stopped.ended.reason), (ids[..at].to_vec(), Reason::Stop(stop)));
}

#[test]
fn adapters_come_and_go_while_the_model_runs() {
    let engine = engine(QWEN3, &small());
    let prompt = tokens("prompt", 100);
    let plain = ask(&engine, greedy(&prompt, 20));
    let with = |name: &str| Request { adapter: Some(name.to_owned()), ..greedy(&prompt, 20) };
    assert!(engine.submit(with("one")).unwrap_err().to_string().contains("one"));
    engine.add_adapter("one", adapter(engine.architecture(), 4, 2.0, ""));
    engine.add_adapter("none", adapter(engine.architecture(), 4, 0.0, ""));
    assert_eq!(engine.adapter_names(), ["none", "one"]);
    let adapted = ask(&engine, with("one"));
    assert_eq!(adapted.ended.cached_tokens, 0, "what the model itself computed is of no use to an adapter");
    assert_ne!(adapted.ids(), plain.ids());
    let again = ask(&engine, with("one"));
    assert_eq!((again.tokens, again.ended.cached_tokens), (adapted.tokens.clone(), 96));
    assert_eq!(ask(&engine, with("none")).ids(), plain.ids(), "one that adds nothing changes nothing");
    assert_eq!(ask(&engine, greedy(&prompt, 20)).tokens, plain.tokens);
    // Another adapter under an old name does not find what the old one computed.
    engine.add_adapter("one", adapter(engine.architecture(), 4, 2.0, "other."));
    let other = ask(&engine, with("one"));
    assert_eq!(other.ended.cached_tokens, 0);
    assert_ne!(other.ids(), adapted.ids());
    assert!(engine.remove_adapter("one") && !engine.remove_adapter("one"));
    assert!(engine.submit(with("one")).is_err());
}
