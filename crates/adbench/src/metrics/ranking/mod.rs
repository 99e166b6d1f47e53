//! Ranking of scores: all that AUROC, average precision, F1 and AU-PRO depend on.
//!
//! From the bottom up: `keys` maps scores to integers, `rank_table` finds the ranks of scores among sorted keys,
//! `counter` counts scores around keys, `ranked` holds the result, `auroc32` is a short cut for AUROC alone, and
//! `score` chooses between them by the type of the scores.

mod auroc32;
mod counter;
mod keys;
mod rank_table;
mod ranked;
mod score;

pub(crate) use counter::Counter;
pub(crate) use keys::{ScoreKey, key};
pub(crate) use ranked::{Group, Ranked, check_classes, count_parts, counter, groups};
pub use score::Score;
pub(crate) use score::sealed::Rank;
