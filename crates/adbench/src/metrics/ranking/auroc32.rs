//! AUROC of 32-bit scores by adding up ranks, without sorting the normal scores.

use rayon::prelude::*;

use super::rank_table::RankTable;
use super::ranked::{Ranked, SMALL, anomalous_keys, check_labels, share};
use crate::metrics::check::check_finite;
use crate::metrics::error::MetricError;

/// The exact AUROC of 32-bit scores. Counts nothing where few scores are anomalous: the ranks of the normal scores
/// among the anomalous ones only have to be added up.
pub(super) fn auroc32(scores: &[f32], labels: &[bool]) -> Result<f64, MetricError> {
    let anomalous = check_labels(scores.len(), labels)?;
    // Where a seventh is anomalous, the tables take 4 bytes a score, as sorting does.
    if scores.len() < SMALL || anomalous > scores.len() / 7 {
        return Ok(Ranked::by_sorting(scores, labels)?.auroc());
    }
    let mut keys = anomalous_keys(scores, labels, anomalous);
    let distinct = keys.chunk_by(|a, b| a == b).count();
    // Scores near equal keys have to be searched for. Where these are many, the table is made of the distinct keys.
    let ranks_of_all = (anomalous - distinct > anomalous / 50).then(|| {
        let mut ranks = Vec::with_capacity(2 * distinct + 1);
        let mut below = 0;
        for same in keys.chunk_by(|a, b| a == b) {
            let count = same.len() as u32;
            ranks.extend([2 * below, 2 * below + count]);
            below += count;
        }
        ranks.push(2 * below);
        keys.dedup();
        ranks
    });
    let table = RankTable::new(keys);
    let add = |scores: &[f32]| {
        let mut sum = 0;
        let is_finite = table.for_each_score(scores, |few| {
            sum += match &ranks_of_all {
                None => few.iter().map(|&p| u64::from(p)).sum::<u64>(),
                Some(of_all) => few.iter().map(|&p| u64::from(of_all[p as usize])).sum(),
            };
        });
        (u128::from(sum), is_finite)
    };
    let parts = scores.par_chunks(share(scores.len()));
    let (sum, is_finite) = parts.map(add).reduce(|| (0, true), |(a, x), (b, y)| (a + b, x & y));
    if !is_finite {
        check_finite(scores)?;
    }
    // The ranks of the anomalous scores among themselves: every pair counts twice, and every score once.
    let anomalous = anomalous as u128;
    let lost = sum - anomalous * anomalous;
    let pairs = anomalous * (scores.len() as u128 - anomalous);
    Ok((2 * pairs - lost) as f64 / (2 * pairs) as f64)
}
