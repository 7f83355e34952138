//! Twenty other estates: other names, numbers, dates, order; the same facts.

use crate::support::{World, assert_facts};
use actledger::jobs::{self, AsOf};
use actledger::report::Scope;

fn live(seed: u64) {
    let world = World::seeded(seed);
    let desk = world.live_quietly();
    let store = desk.store().unwrap();
    let size = jobs::resolve(&desk, &store, &AsOf::Latest).unwrap();
    let report = jobs::view(&desk, &store, size, &Scope::default()).unwrap();
    assert_facts(&serde_json::to_value(&report).unwrap(), &world.expected());
}

#[test]
fn ten_other_seeds_show_the_same_facts() {
    (1..=10).for_each(live);
}

#[test]
fn ten_more_seeds_show_the_same_facts() {
    (11..=20).for_each(live);
}
