//! Tables of the finished draws.

use std::collections::BTreeMap;
use std::fmt::Write;

use experiments::paired::{holm, interval_text, mean, p_value};
use serde_json::Value;

/// Arms in the order of the tables, the last knows what was planted.
const ARMS: [&str; 14] = [
    "clean", "uniform", "cap", "trim", "lof", "third", "outliers", "tenth", "both", "bilevel", "lightest", "shuffled",
    "kept", "oracle",
];
/// Image AUROC that `uniform` must lose on a set for the set to count as harmed.
const HARM: f64 = 0.03;

pub(crate) struct Tables<'a> {
    /// By set and rate, the rate in thousandths.
    draws: BTreeMap<(String, u64), Vec<&'a Value>>,
}

impl<'a> Tables<'a> {
    pub(crate) fn of(runs: impl Iterator<Item = &'a Value>) -> Self {
        let mut draws: BTreeMap<(String, u64), Vec<&Value>> = BTreeMap::new();
        for run in runs {
            let set = run["set"].as_str().unwrap_or_default().to_owned();
            let rate = (1000.0 * run["rate"].as_f64().unwrap_or(0.0)).round() as u64;
            draws.entry((set, rate)).or_default().push(run);
        }
        Self { draws }
    }

    fn rates(&self) -> Vec<u64> {
        let mut rates: Vec<u64> = self.draws.keys().map(|(_, rate)| *rate).collect();
        rates.sort_unstable();
        rates.dedup();
        rates
    }

    /// Draws of a rate over the sets where `uniform` loses [`HARM`] or more on average.
    fn harmed(&self, rate: u64) -> BTreeMap<&str, &Vec<&'a Value>> {
        let at = self.draws.iter().filter(|((_, r), _)| *r == rate);
        let lost = |runs: &[&Value]| mean(&differences(runs, "clean", "uniform", 0));
        at.filter(|(_, runs)| lost(runs) >= HARM).map(|((set, _), runs)| (set.as_str(), runs)).collect()
    }

    /// All draws of a rate.
    fn at(&self, rate: u64) -> Vec<&'a Value> {
        self.draws.iter().filter(|((_, r), _)| *r == rate).flat_map(|(_, runs)| runs.iter().copied()).collect()
    }

    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        out.push_str("Image AUROC / pixel AUROC, means over draws.\n\n| set | planted | draws |");
        ARMS.iter().for_each(|arm| out.push_str(&format!(" {arm} |")));
        out.push_str(&format!("\n|---|---|---|{}\n", "---|".repeat(ARMS.len())));
        for ((set, rate), runs) in &self.draws {
            let _ = write!(out, "| {set} | {} | {} |", percent(*rate), runs.len());
            ARMS.iter().for_each(|arm| out.push_str(&format!(" {} |", pair(runs, arm))));
            out.push('\n');
        }
        for rate in self.rates().into_iter().filter(|rate| *rate > 0) {
            let harmed = self.harmed(rate);
            if harmed.is_empty() {
                continue;
            }
            let names: Vec<&str> = harmed.keys().copied().collect();
            let _ = write!(out, "| mean of {} | {} | |", names.join(", "), percent(rate));
            for arm in ARMS {
                let by_set =
                    |i: usize| mean(&harmed.values().map(|runs| mean(&figures(runs, arm, i))).collect::<Vec<_>>());
                let _ = write!(out, " {:.3} / {:.3} |", by_set(0), by_set(1));
            }
            out.push('\n');
        }
        for rate in self.rates() {
            self.paired(&mut out, rate);
        }
        self.found(&mut out);
        out
    }

    /// Paired differences of a rate, each family corrected by Holm.
    fn paired(&self, out: &mut String, rate: u64) {
        let runs = self.at(rate);
        let others = ARMS.iter().filter(|arm| !["uniform", "clean"].contains(arm)).map(|arm| (*arm, "uniform"));
        let than = ["cap", "trim", "lof", "third", "outliers", "tenth", "both", "shuffled", "oracle"];
        let baselines = than.map(|arm| ("bilevel", arm)).into_iter().chain([("lightest", "tenth")]);
        let families = [others.collect::<Vec<_>>(), baselines.collect()];
        let _ = write!(
            out,
            "\nPaired differences with {} planted over {} draws of {} sets, 95 % intervals, p corrected by Holm within \
             a family and figure.\n\n| difference | image AUROC | p | pixel AUROC | p |\n|---|---|---|---|---|\n",
            percent(rate),
            runs.len(),
            self.draws.keys().filter(|(_, r)| *r == rate).count()
        );
        for family in families {
            let of = |i: usize| family.iter().map(move |(a, b)| (a, b, i));
            let columns = [0, 1].map(|i| {
                let each: Vec<Vec<f64>> = of(i).map(|(a, b, i)| differences(&runs, a, b, i)).collect();
                let corrected = holm(&each.iter().map(|d| p_value(d)).collect::<Vec<_>>());
                each.iter().map(|d| interval_text(d)).zip(corrected).collect::<Vec<_>>()
            });
            for (k, (a, b)) in family.iter().enumerate() {
                let _ = write!(out, "| {a} - {b} |");
                for (text, p) in columns.iter().map(|column| &column[k]) {
                    let _ = write!(out, " {text} | {p:.4} |");
                }
                out.push('\n');
            }
        }
    }

    /// How planted photos are told, and what the upper level sees of them.
    fn found(&self, out: &mut String) {
        out.push_str(
            "\nAUROC with which planted photos are told by the learned weight, the hypergradient at equal weights, \
             the held-out score and that against the trimmed memory; photos dropped (good + planted of those planted); \
             upper loss and share of pairs won with equal weights, without the planted photos, and with learned ones; \
             share of drawn, clean and real defective patches whose nearest photo is a planted one.\n\n\
             | set | planted | weight | gradient | held out | held out, trimmed | weight below 1/2 | lightest tenth | \
             outliers | highest tenth | equal | oracle | learned | drawn | clean | real |\n",
        );
        let _ = writeln!(out, "{}|", "|---".repeat(16));
        for ((set, rate), runs) in &self.draws {
            let _ = write!(out, "| {set} | {} |", percent(*rate));
            for name in ["weight", "gradient", "held", "held_trim"] {
                let values = numbers(runs, |run| &run["found"][name]);
                let text = if values.is_empty() { "-".to_owned() } else { format!("{:.3}", mean(&values)) };
                let _ = write!(out, " {text} |");
            }
            let planted = mean(&numbers(runs, |run| &run["planted"]));
            for by in ["bilevel", "lightest", "outliers", "tenth"] {
                let count = |what: &str| mean(&numbers(runs, |run| &run["dropped"][by][what]));
                let _ = write!(out, " {:.1} + {:.1} of {planted:.0} |", count("good"), count("planted"));
            }
            for of in ["uniform", "oracle", "learned"] {
                let at = |i: usize| mean(&numbers(runs, |run| &run["upper"][of][i]));
                let _ = write!(out, " {:.4}, {:.4} |", at(0), at(1));
            }
            for of in ["drawn", "clean", "real"] {
                let values = numbers(runs, |run| &run["near"][of]);
                let text = if values.is_empty() { "-".to_owned() } else { format!("{:.3}", mean(&values)) };
                let _ = write!(out, " {text} |");
            }
            out.push('\n');
        }
    }

    pub(crate) fn result(&self) -> String {
        let harmed = self.harmed(100);
        let gain = |runs: &Vec<&Value>| mean(&differences(runs, "bilevel", "uniform", 0));
        let gain = mean(&harmed.values().map(|runs| gain(runs)).collect::<Vec<f64>>());
        let found: Vec<f64> =
            self.draws.values().flat_map(|runs| numbers(runs, |run| &run["found"]["weight"])).collect();
        format!("result contaminated_gain={gain:.4} found={:.4}", mean(&found))
    }
}

fn numbers<'a>(runs: &[&'a Value], of: impl Fn(&'a Value) -> &'a Value) -> Vec<f64> {
    runs.iter().filter_map(|run| of(run).as_f64()).collect()
}

/// Figure `i` of an arm in each draw.
fn figures(runs: &[&Value], arm: &str, i: usize) -> Vec<f64> {
    runs.iter().map(|run| run["arms"][arm][i].as_f64().unwrap_or(f64::NAN)).collect()
}

/// Figure `i` of one arm less that of another in each draw.
fn differences(runs: &[&Value], arm: &str, less: &str, i: usize) -> Vec<f64> {
    figures(runs, arm, i).iter().zip(figures(runs, less, i)).map(|(a, b)| a - b).collect()
}

fn pair(runs: &[&Value], arm: &str) -> String {
    format!("{:.3} / {:.3}", mean(&figures(runs, arm, 0)), mean(&figures(runs, arm, 1)))
}

fn percent(thousandths: u64) -> String {
    format!("{} %", thousandths as f64 / 10.0)
}
