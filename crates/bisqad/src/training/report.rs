//! Reports of training rounds.

use std::collections::BTreeMap;

use sqe::effective_sample_size;

/// Number of severity bands of equal width over \[0, 1\] in the log of weights.
pub const SEVERITY_BANDS: usize = 4;

/// Summary of a training round.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundReport {
    /// Mechanism left out of the lower level for validation; `None` if none was.
    pub held_out: Option<usize>,
    /// Mean weighted lower loss.
    pub loss: f64,
    /// Mean upper loss after the look-ahead; NaN without upper updates.
    pub upper_loss: f64,
    /// Mean effective sample size over the batch size, in (0, 1]: near 0 means collapse.
    pub ess_fraction: f64,
    /// Mean quality before normalization.
    pub quality: f64,
    /// Spearman correlation of weight and defect area: near +-1 means the weights follow area, not quality.
    pub area_correlation: f64,
    /// Number of upper updates in which only the penalty acted, because the effective sample size was below
    /// [`min_ess_fraction`](crate::TrainParams::min_ess_fraction).
    pub ess_clipped_steps: usize,
    /// Mean weight by mechanism and severity, of those that occurred.
    pub weights: Vec<MeanWeight>,
}

/// Mean weight of the samples of one mechanism and severity band.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanWeight {
    /// Mechanism of the samples.
    pub mechanism: usize,
    /// Severity band, 0 to [`SEVERITY_BANDS`] - 1; `None` if the severity is unknown.
    pub band: Option<usize>,
    /// Mean weight; 1 is the mean over all samples of a batch.
    pub mean: f64,
    /// Number of samples, each counted as often as it was used.
    pub samples: usize,
}

impl RoundReport {
    /// The report as numbers, for the checkpoint.
    pub(crate) fn numbers(&self) -> Vec<f64> {
        let held_out = self.held_out.map_or(-1.0, |g| g as f64);
        // a file holds no NaN
        let has_upper = self.upper_loss.is_finite();
        let mut out = vec![
            held_out,
            self.loss,
            f64::from(u8::from(has_upper)),
            if has_upper { self.upper_loss } else { 0.0 },
            self.ess_fraction,
            self.quality,
            self.area_correlation,
            self.ess_clipped_steps as f64,
            self.weights.len() as f64,
        ];
        for w in &self.weights {
            out.extend([w.mechanism as f64, w.band.map_or(-1.0, |b| b as f64), w.mean, w.samples as f64]);
        }
        out
    }

    /// Reports from the [`Self::numbers`] of several; `None` if they do not fit.
    pub(crate) fn read_all(numbers: &[f64]) -> Option<Vec<Self>> {
        // a number beyond these is no count, and none is made of it
        let count = |v: f64| (v >= 0.0 && v <= f64::from(u32::MAX) && v.fract() == 0.0).then_some(v as usize);
        let index = |v: f64| if v == -1.0 { Some(None) } else { count(v).map(Some) };
        let (mut rest, mut out) = (numbers, Vec::new());
        while !rest.is_empty() {
            let (head, tail) = rest.split_first_chunk::<9>()?;
            let [held_out, loss, has_upper, upper_loss, ess_fraction, quality, area_correlation, clipped, rows] = *head;
            let (rows, after) = tail.split_at_checked(count(rows)?.checked_mul(4)?)?;
            let weights = rows.as_chunks::<4>().0.iter().map(|&[mechanism, band, mean, samples]| {
                Some(MeanWeight { mechanism: count(mechanism)?, band: index(band)?, mean, samples: count(samples)? })
            });
            out.push(Self {
                held_out: index(held_out)?,
                loss,
                upper_loss: if count(has_upper)? == 1 { upper_loss } else { f64::NAN },
                ess_fraction,
                quality,
                area_correlation,
                ess_clipped_steps: count(clipped)?,
                weights: weights.collect::<Option<_>>()?,
            });
            rest = after;
        }
        Some(out)
    }
}

/// Facts about a sample besides its weight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SampleMeta {
    pub(crate) mechanism: usize,
    pub(crate) severity: Option<f64>,
    pub(crate) area: f64,
}

/// Statistics accumulated over a round.
#[derive(Default)]
pub(crate) struct RoundStats {
    uppers: Vec<f64>,
    ess_clipped_steps: usize,
    losses: f64,
    shares: f64,
    qualities: f64,
    updates: f64,
    weights: Vec<f64>,
    areas: Vec<f64>,
    by_kind: BTreeMap<(usize, Option<usize>), (f64, usize)>,
}

impl RoundStats {
    pub(crate) fn upper(&mut self, loss: f64, ess_clipped: bool) {
        self.uppers.push(loss);
        self.ess_clipped_steps += usize::from(ess_clipped);
    }

    pub(crate) fn lower(&mut self, loss: f64, q: &[f64], w: &[f64], meta: impl Iterator<Item = SampleMeta>) {
        self.losses += loss;
        self.shares += effective_sample_size(w) / w.len() as f64;
        self.qualities += q.iter().sum::<f64>() / q.len() as f64;
        self.updates += 1.0;
        self.weights.extend(w);
        for (meta, w) in meta.zip(w) {
            self.areas.push(meta.area);
            let sum = self.by_kind.entry((meta.mechanism, meta.severity.and_then(band))).or_default();
            sum.0 += w;
            sum.1 += 1;
        }
    }

    pub(crate) fn report(self, held_out: Option<usize>) -> RoundReport {
        let weights = self.by_kind.iter().map(|(&(mechanism, band), &(sum, samples))| MeanWeight {
            mechanism,
            band,
            mean: sum / samples as f64,
            samples,
        });
        RoundReport {
            held_out,
            loss: self.losses / self.updates,
            upper_loss: self.uppers.iter().sum::<f64>() / self.uppers.len() as f64,
            ess_fraction: self.shares / self.updates,
            quality: self.qualities / self.updates,
            area_correlation: sqe::spearman(&self.weights, &self.areas).unwrap_or(0.0),
            ess_clipped_steps: self.ess_clipped_steps,
            weights: weights.collect(),
        }
    }
}

/// Severity band; severities outside \[0, 1\] count to the nearest.
fn band(severity: f64) -> Option<usize> {
    (!severity.is_nan()).then(|| ((severity * SEVERITY_BANDS as f64) as usize).min(SEVERITY_BANDS - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> RoundReport {
        let mut stats = RoundStats::default();
        let meta = |mechanism, severity, area| SampleMeta { mechanism, severity, area };
        let three = [meta(0, Some(0.1), 0.1), meta(0, Some(0.2), 0.2), meta(2, Some(1.0), 0.3)];
        stats.lower(1.0, &[0.2, 0.4, 0.6], &[0.5, 1.0, 1.5], three.into_iter());
        stats.lower(2.0, &[0.3, 0.3, 0.6], &[0.75, 0.75, 1.5], [meta(0, None, 0.1), three[0], three[2]].into_iter());
        stats.upper(0.5, true);
        stats.upper(0.3, false);
        stats.report(Some(1))
    }

    #[test]
    fn weights_are_averaged_by_mechanism_and_band() {
        let r = report();
        let row = |mechanism, band, mean, samples| MeanWeight { mechanism, band, mean, samples };
        assert_eq!(r.weights, vec![row(0, None, 0.75, 1), row(0, Some(0), 0.75, 3), row(2, Some(3), 1.5, 2)]);
        assert_eq!((r.ess_clipped_steps, r.upper_loss, r.loss), (1, 0.4, 1.5));
        assert!(r.area_correlation > 0.9);
    }

    #[test]
    fn a_report_survives_the_checkpoint_and_a_torn_one_is_none() {
        let other = RoundReport { held_out: None, weights: Vec::new(), ..report() };
        let numbers = [report().numbers(), other.numbers()].concat();
        assert_eq!(RoundReport::read_all(&numbers).unwrap(), vec![report(), other]);
        assert_eq!(RoundReport::read_all(&numbers[..numbers.len() - 1]), None);
        assert_eq!(RoundReport::read_all(&numbers[..10]), None);
        // counts that are none
        for place in [0, 2, 7, 8, 9, 10, 12] {
            for odd in [0.5, -2.0, 1e300, f64::NAN, f64::INFINITY] {
                let mut numbers = report().numbers();
                numbers[place] = odd;
                assert_eq!(RoundReport::read_all(&numbers), None, "{odd} at {place}");
            }
        }
        let without = RoundReport { upper_loss: f64::NAN, ..report() };
        assert!(without.numbers().iter().all(|v| v.is_finite()));
        assert!(RoundReport::read_all(&without.numbers()).unwrap()[0].upper_loss.is_nan());
    }
}
