//! Messages that are not worth sending for ever: what may be dropped, and when.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "util/freshness.rs"]
mod model;
mod util;

use util::*;

#[test]
fn whatever_happens_the_rest_arrives() {
    let random = Seeded::new(1);
    for _ in 0..4000 {
        let data: Vec<u8> = (0..1 + random.below(200)).map(|_| random.next() as u8).collect();
        model::run(&data, epoch());
    }
}
