//! Several answers at a time.

use tw_infer::{Engine, Options, Request, Sampling, Stats};

use crate::support::{LLAMA, QWEN3, Whole, adapter, ask, engine, greedy, small, tokens, whole};

fn requests() -> Vec<Request> {
    let shared = tokens("shared", 70);
    (0..6)
        .map(|place| {
            let mut prompt = if place % 2 == 0 { shared.clone() } else { Vec::new() };
            prompt.extend(tokens(&format!("own {place}"), 20 + 17 * place));
            let sampling = Sampling {
                temperature: if place == 3 { 0.8 } else { 0.0 },
                seed: Some(place as u64),
                ..Sampling::default()
            };
            let adapter = (place == 4).then(|| "one".to_owned());
            Request { sampling, adapter, ..greedy(&prompt, 15 + 9 * place) }
        })
        .collect()
}

fn together(engine: &Engine) -> Vec<Whole> {
    let running: Vec<_> = requests().into_iter().map(|request| engine.submit(request).unwrap()).collect();
    running.into_iter().map(whole).collect()
}

#[test]
fn answers_in_company_are_bit_for_bit_those_alone() {
    for config in [QWEN3, LLAMA] {
        let company = engine(config, &small());
        company.add_adapter("one", adapter(company.architecture(), 3, 1.0, ""));
        let together = together(&company);
        for (request, answer) in requests().into_iter().zip(together) {
            let alone = engine(config, &small());
            alone.add_adapter("one", adapter(alone.architecture(), 3, 1.0, ""));
            assert_eq!(ask(&alone, request).tokens, answer.tokens);
        }
    }
}

#[test]
fn a_beginning_that_several_share_is_computed_once() {
    let engine = engine(QWEN3, &small());
    let shared = tokens("shared", 128);
    let running: Vec<_> = (0..4)
        .map(|place| {
            let mut prompt = shared.clone();
            prompt.extend(tokens(&format!("own {place}"), 9));
            engine.submit(greedy(&prompt, 10)).unwrap()
        })
        .collect();
    let cached: Vec<usize> = running.into_iter().map(|one| whole(one).ended.cached_tokens).collect();
    assert_eq!(cached, [0, 128, 128, 128], "though all of them came at once");
}

#[test]
fn where_memory_is_short_answers_wait_for_each_other_and_stay_the_same() {
    // 20 blocks of 32 tokens, for six answers that want up to 8 each.
    let block = 3 * 2 * (32 + 32) * 32 * 4;
    let tight = engine(QWEN3, &Options { cache_bytes: 20 * block, max_context: Some(512), ..small() });
    tight.add_adapter("one", adapter(tight.architecture(), 3, 1.0, ""));
    let roomy = engine(QWEN3, &small());
    roomy.add_adapter("one", adapter(roomy.architecture(), 3, 1.0, ""));
    let (one, two) = (together(&tight), together(&roomy));
    for (tight, roomy) in one.iter().zip(&two) {
        assert_eq!(tight.tokens, roomy.tokens);
    }
    let stats = tight.stats().unwrap();
    assert_eq!((stats.running, stats.waiting, stats.used_blocks), (0, 0, 0));
    assert!(stats.kept_blocks <= 20);
}

#[test]
fn a_request_that_nobody_waits_for_ends_and_gives_its_memory_back() {
    let engine = engine(QWEN3, &small());
    let mut leaving = engine.submit(greedy(&tokens("long", 300), 200)).unwrap();
    let staying = engine.submit(greedy(&tokens("stays", 30), 20)).unwrap();
    assert!(leaving.wait().is_some());
    drop(leaving);
    assert_eq!(whole(staying).tokens.len(), 20);
    // The next step after the drop sees it; nothing else runs by then.
    let idle = loop {
        let stats = engine.stats().unwrap();
        if stats.running == 0 {
            break stats;
        }
        std::thread::yield_now();
    };
    assert_eq!((idle.used_blocks, idle.waiting), (0, 0));
    assert!(idle.kept_blocks > 0, "what it computed is kept for others");
    assert_ne!(idle, Stats::default());
}
