//! Request lines to operations and names.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use token_policy::classify;
use usher_benches::{Issued, criterion};

fn lines(criterion: &mut Criterion) {
    // As long as the query of a real client.
    let query = format!(
        "uuid=alice&pnsdk=PubNub-JS-Web%2F9.8.4&auth={}",
        Issued::small().text
    );
    let body: &[u8] = br#"{"set":[{"channel":{"id":"room-1"}},{"channel":{"id":"room-2"}}]}"#;
    let lines = [
        (
            "subscribe, path only",
            "GET",
            "/v2/subscribe/sub-c-demo/room-1/0".to_owned(),
        ),
        (
            "subscribe",
            "GET",
            format!("/v2/subscribe/sub-c-demo/room-1/0?{query}"),
        ),
        (
            "subscribe, 5 channels, 3 groups",
            "GET",
            format!("/v2/subscribe/sub-c-demo/a,b,c,d,room%201/0?channel-group=x,y,z&{query}"),
        ),
        (
            "publish, path only",
            "GET",
            "/publish/pub-c-demo/sub-c-demo/0/room-1/0/%22hello%22".to_owned(),
        ),
        (
            "publish",
            "GET",
            format!("/publish/pub-c-demo/sub-c-demo/0/room-1/0/%22hello%22?{query}"),
        ),
        (
            "history, path only",
            "GET",
            "/v3/history/sub-key/sub-c-demo/channel/room-1".to_owned(),
        ),
        (
            "download file, path only",
            "GET",
            "/v1/files/sub-c-demo/channels/room-1/files/0f3b/photo.png".to_owned(),
        ),
        (
            "set memberships, with body",
            "PATCH",
            format!("/v2/objects/sub-c-demo/uuids/alice/channels?{query}"),
        ),
        (
            "nothing known",
            "GET",
            "/v2/subscribe/sub-c-demo/room-1/0/and/more".to_owned(),
        ),
    ];
    let mut group = criterion.benchmark_group("classify");
    for (name, method, target) in &lines {
        let known = classify(method, target, Some(body)).is_ok();
        assert_eq!(known, *name != "nothing known", "{name}");
        group.bench_function(*name, |b| {
            b.iter(|| classify(black_box(method), black_box(target), Some(body)).is_ok());
        });
    }
    group.finish();
}

criterion_group!(name = benches; config = criterion(); targets = lines);
criterion_main!(benches);
