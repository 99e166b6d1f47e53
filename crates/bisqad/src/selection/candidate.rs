//! Candidates: sums of evidence that are compared.

use std::fmt::{Display, Formatter};

use crate::evidence::EvidenceKind;

/// Sums of kinds that are tried, each at several sets of levels.
const KINDS: [&[EvidenceKind]; 9] = {
    use EvidenceKind::{Bank, BankDensity, PlaceGaussian, PlaceNearest};
    [
        &[PlaceGaussian],
        &[PlaceNearest],
        &[Bank],
        &[BankDensity],
        &[PlaceGaussian, PlaceNearest],
        &[PlaceGaussian, Bank],
        &[PlaceGaussian, BankDensity],
        &[PlaceNearest, Bank],
        &[PlaceNearest, BankDensity],
    ]
};

/// Sum of evidence: each of some kinds at each of some levels, in equal shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceSum {
    kinds: Vec<EvidenceKind>,
    levels: Vec<usize>,
    all_levels: bool,
}

impl EvidenceSum {
    /// Kinds of evidence.
    #[must_use]
    pub fn kinds(&self) -> &[EvidenceKind] {
        &self.kinds
    }

    /// Numbers of the levels of the backbone's pyramid.
    #[must_use]
    pub fn levels(&self) -> &[usize] {
        &self.levels
    }

    /// Number of choices by which it departs from the safe ones, which take a kind by place and one of banks at all
    /// levels: these hold whether the next photo shows the product in its place or not.
    #[must_use]
    pub fn departures(&self) -> usize {
        let has = |by_place: bool| self.kinds.iter().any(|kind| kind.is_by_place() == by_place);
        usize::from(!(has(true) && has(false))) + usize::from(!self.all_levels)
    }

    /// Sum that stands where nothing can be chosen: nearest normal patches, by place and by bank, at all of `levels`.
    pub(crate) fn safe(levels: &[usize]) -> Self {
        let kinds = vec![EvidenceKind::PlaceNearest, EvidenceKind::Bank];
        Self { kinds, levels: levels.to_vec(), all_levels: true }
    }

    /// All candidates of some levels, the safest first.
    pub(crate) fn all(levels: &[usize]) -> Vec<Self> {
        let mut sums = Vec::new();
        for kinds in KINDS {
            for subset in subsets(levels) {
                let all_levels = subset.len() == levels.len();
                sums.push(Self { kinds: kinds.to_vec(), levels: subset, all_levels });
            }
        }
        sums.sort_by_key(Self::departures);
        sums
    }
}

impl Display for EvidenceSum {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.name()).collect();
        let levels: Vec<String> = self.levels.iter().map(usize::to_string).collect();
        write!(f, "{} at {}", kinds.join(" + "), levels.join(", "))
    }
}

/// All of the levels, and every run of neighbors among them.
fn subsets(levels: &[usize]) -> Vec<Vec<usize>> {
    let runs = (1..=levels.len()).rev().flat_map(|n| levels.windows(n));
    runs.map(<[usize]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_tried_at_every_run_of_levels_the_safest_first() {
        let all = EvidenceSum::all(&[1, 2, 3]);
        assert_eq!(all.len(), 9 * 6);
        assert!(all.is_sorted_by_key(EvidenceSum::departures));
        assert_eq!(all.iter().filter(|s| s.departures() == 0).count(), 4);
        assert!(all[..4].contains(&EvidenceSum::safe(&[1, 2, 3])));
        assert_eq!(all[0].to_string(), "place-gaussian + bank at 1, 2, 3");
        let alone =
            all.iter().find(|s| s.kinds() == [EvidenceKind::Bank] && s.levels() == [2]).map(EvidenceSum::departures);
        assert_eq!(alone, Some(2));
        // where there is one level, it is all of them
        assert!(EvidenceSum::all(&[0]).iter().all(|s| s.departures() < 2));
    }
}
