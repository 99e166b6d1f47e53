//! Property tests that must see both outcomes.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Runs `case` on values of `strategy`; at least one must succeed and at least one fail.
///
/// # Panics
/// If a case panics, or if only one outcome was seen.
pub fn both_ways<S: Strategy>(cases: u32, strategy: &S, case: impl Fn(S::Value) -> bool) {
    let (good, bad) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(ProptestConfig::with_cases(cases));
    let run = runner.run(strategy, |value| {
        let counter = if case(value) { &good } else { &bad };
        counter.set(counter.get() + 1);
        Ok(())
    });
    if let Err(error) = run {
        panic!("{error}");
    }
    assert!(good.get() > 0 && bad.get() > 0, "{} succeed, {} fail", good.get(), bad.get());
}
