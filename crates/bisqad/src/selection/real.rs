//! Real defects for the heads, read once; they are also left out in groups, so that heads can be judged by them.

use rayon::prelude::*;

use crate::error::Error;
use crate::evidence::heads::DefectRows;
use crate::selection::images::{Reading, aligned_coverage, coverage};
use crate::training::anomaly_source::AnomalySource;
use crate::training::validation_anomalies::{FewShotSet, LabeledDefect};
use crate::views::seen::Seen;

/// Largest number of groups that are left out in turn.
const GROUPS: usize = 5;

/// Real defects at one side, as features.
#[derive(Debug, Default)]
pub(crate) struct RealDefectFeatures {
    /// Examples for the heads; each's `image` is the number of its group.
    pub(crate) rows: Vec<DefectRows>,
    /// Share of each patch of the photo in the mask, of each defect.
    pub(crate) coverage: Vec<Vec<f32>>,
    pub(crate) seen: Vec<Seen>,
}

impl RealDefectFeatures {
    /// Reads the defects of a set at `side`.
    pub(crate) fn read(from: Reading<'_>, real: &FewShotSet, side: usize) -> Result<Self, Error> {
        let defects = real.defects();
        let kinds = own_kinds(from.source, real);
        let groups = defects.len().min(GROUPS);
        let read = |(i, defect): (usize, &LabeledDefect)| -> Result<_, Error> {
            let seen = from.read(side, defect.image.view())?;
            let of = (mechanism(from.source, &kinds, &defect.kind), i % groups.max(1));
            let aligned = aligned_coverage(defect.mask.view(), &seen);
            let rows = DefectRows::choose(of, &seen.levels, &aligned, from.params.seed(), i);
            Ok((rows, coverage(defect.mask.view(), seen.grid()), seen))
        };
        let mut all = Self::default();
        for (rows, coverage, seen) in defects.par_iter().enumerate().map(read).collect::<Result<Vec<_>, Error>>()? {
            let Some(rows) = rows else { continue };
            all.rows.push(rows);
            all.coverage.push(coverage);
            all.seen.push(seen);
        }
        Ok(all)
    }

    /// Group of defect `i`.
    pub(crate) fn group(&self, i: usize) -> usize {
        self.rows[i].image
    }

    /// Number of groups.
    pub(crate) fn groups(&self) -> usize {
        self.rows.iter().map(|rows| rows.image + 1).max().unwrap_or(0)
    }

    /// Mechanisms of defects in two groups at least, so that each group can be left out.
    pub(crate) fn mechanisms(&self) -> Vec<usize> {
        let in_others = |a: &&DefectRows| self.rows.iter().any(|b| b.mechanism == a.mechanism && b.image != a.image);
        let mut found: Vec<usize> = self.rows.iter().filter(in_others).map(|rows| rows.mechanism).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Kinds that no mechanism of the source is called, in order: they are numbered after the mechanisms.
pub(crate) fn own_kinds(source: &dyn AnomalySource, real: &FewShotSet) -> Vec<String> {
    let is_known = |kind: &str| (0..source.mechanisms()).any(|m| source.name(m) == kind);
    let mut kinds: Vec<String> = real.defects().iter().map(|d| d.kind.clone()).filter(|k| !is_known(k)).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

fn mechanism(source: &dyn AnomalySource, own: &[String], kind: &str) -> usize {
    // the last of a name: what was added for the kind comes after the standard mechanisms
    let known = (0..source.mechanisms()).rev().find(|&m| source.name(m) == kind);
    known.unwrap_or_else(|| source.mechanisms() + own.iter().position(|own| own == kind).unwrap_or(0))
}
