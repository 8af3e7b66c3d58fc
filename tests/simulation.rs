//! The whole house in one process, with everything that can fail failing on purpose. One seed is one run.
//!
//! Senders and clients talk to a node of real parts: the exchange over a store, behind the gate of a real ledger. Between any two steps
//! of a request the process may die, power may fail, disks may fill up, tear or refuse, or somebody else may be faster. After each start
//! and at the end every promise is looked at. `DUKOU_SEEDS` is the number of runs, `DUKOU_SEED` the first of them.

mod callers;
mod check;
mod contest;
mod decisions;
mod fault;
mod heard;
mod node;
mod people;
mod promises;
mod record;
mod rows;
mod senders;
mod world;

use std::sync::Arc;

use arc_swap::ArcSwap;
use dukou_mapping::Program;

use self::rows::Rows;
use self::world::World;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn program() -> Arc<ArcSwap<Program>> {
    Arc::new(ArcSwap::from_pointee(dukou_gateway::built_in_program(&[]).unwrap()))
}

fn runs(seeds: u64, steps: u64, rows: fn() -> Rows) {
    let (program, first) = (program(), number("DUKOU_SEED", 0));
    let (mut crashes, mut answers, mut messages) = (0, 0, 0);
    for seed in first..first + seeds {
        let mut world = World::new(seed, rows(), &program);
        world.run(steps);
        crashes += world.crashes;
        answers += world.heard.receipts.len();
        messages += world.heard.order.len();
    }
    println!("{seeds} runs: {messages} messages, {answers} answers, {crashes} crashes");
}

#[test]
fn whatever_fails_nothing_acknowledged_is_lost_nothing_is_applied_twice_and_no_answer_lacks_its_record() {
    runs(number("DUKOU_SEEDS", 200), STEPS, Rows::in_memory);
}

#[test]
fn the_same_holds_over_the_store_on_disk() {
    runs(number("DUKOU_SEEDS", 200) / 10, STEPS, Rows::on_disk);
}

#[test]
fn one_seed_is_one_run() {
    let program = program();
    let leaves = |seed| {
        let mut world = World::new(seed, Rows::in_memory(), &program);
        world.run(STEPS);
        check::leaves(world.disk())
    };
    assert_eq!(leaves(3), leaves(3));
    assert_ne!(leaves(3), leaves(4));
}

const STEPS: u64 = 40;
