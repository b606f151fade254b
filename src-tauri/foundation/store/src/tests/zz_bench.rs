use super::*;
use crate::TraceQuery;
use std::time::Instant;

#[tokio::test(flavor = "multi_thread")]
async fn bench() {
    let dir = std::env::var("BENCH_DIR").unwrap();
    let store = Store::open(Utf8Path::new(&dir)).unwrap();
    let id = begin(&store, RunState::Done).await;
    let mut times = Vec::new();
    for n in 0..300u32 {
        let t = Instant::now();
        answer(&store, &id, n, &call(&format!("c{n}"), "look", n)).await;
        times.push(t.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!("append median {:.2} p99 {:.2} ms", times[150], times[297]);
    let t = Instant::now();
    let tasks: Vec<_> = (0..32).map(|_| { let store = store.clone(); tokio::spawn(async move {
        let id = begin(&store, RunState::Done).await;
        let mut times = Vec::new();
        for n in 0..100u32 { let t = Instant::now(); answer(&store, &id, n, &call(&format!("c{n}"), "look", n)).await; times.push(t.elapsed().as_secs_f64() * 1e3); }
        times
    })}).collect();
    let mut times = Vec::new();
    for task in tasks { times.extend(task.await.unwrap()); }
    times.sort_by(f64::total_cmp);
    println!("32 side by side: {:.0} appends/s, median {:.2} p99 {:.2} ms", 3200.0 / t.elapsed().as_secs_f64(), times[1600], times[3168]);
    let t = Instant::now();
    let tasks: Vec<_> = (0..2000).map(|k| { let store = store.clone(); tokio::spawn(async move {
        let messages: Vec<Json> = (0..30u32).map(|n| Message::user(format!("task {k} {n} page words of some length and more {}", (0..250u32).map(|w| format!("w{:x} ", (w * 7919 + n * 31 + k * 17) % 20011)).collect::<String>())).into()).collect();
        let mut map = tw_artifact::Map::new(); map.insert("messages".into(), Json::Array(messages));
        store.import_file(tw_artifact::TraceFile::from_fields(map), tw_artifact::TraceOrigin::Imported, &[]).await.unwrap();
    })}).collect();
    for task in tasks { task.await.unwrap(); }
    println!("import 2000x30x1.5KB {:?}", t.elapsed());
    for words in ["", "task", "t", "w", "w4e", "w4e page words", "1999"] {
        let t = Instant::now();
        let list = store.list(TraceQuery { search: words.into(), ..TraceQuery::default() }).await.unwrap();
        println!("{words:?}: {} in {:?}", list.total, t.elapsed());
    }
    let t = Instant::now(); store.trace(&id).await.unwrap(); println!("trace of 300 {:?}", t.elapsed());
}
