//! Parallel maps and joins, with the same results on any number of threads and without the feature `rayon`.

/// Unknowns per channel from which several threads pay off.
const PARALLEL_UNKNOWNS: usize = 1 << 16;

/// Whether work on channels of this many unknowns is done on several threads.
pub(crate) fn worthwhile(unknowns: usize) -> bool {
    unknowns >= PARALLEL_UNKNOWNS && threads() > 1
}

#[cfg(feature = "rayon")]
fn threads() -> usize {
    rayon::current_num_threads()
}

#[cfg(not(feature = "rayon"))]
fn threads() -> usize {
    1
}

/// Calls `one` for every channel and returns the results in order.
pub(crate) fn map<T: Send>(channels: usize, unknowns: usize, one: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    if !worthwhile(unknowns) {
        return (0..channels).map(one).collect();
    }
    #[cfg(feature = "rayon")]
    {
        use rayon::prelude::*;
        (0..channels).into_par_iter().map(one).collect()
    }
    #[cfg(not(feature = "rayon"))]
    (0..channels).map(one).collect()
}

/// Calls both closures, in parallel if [`worthwhile`].
pub(crate) fn join<A: Send, B: Send>(
    unknowns: usize,
    a: impl FnOnce() -> A + Send,
    b: impl FnOnce() -> B + Send,
) -> (A, B) {
    if !worthwhile(unknowns) {
        return (a(), b());
    }
    #[cfg(feature = "rayon")]
    {
        rayon::join(a, b)
    }
    #[cfg(not(feature = "rayon"))]
    (a(), b())
}

/// Calls `one` for every item, in parallel if [`worthwhile`].
pub(crate) fn each<T: Send>(items: Vec<T>, unknowns: usize, one: impl Fn(T) + Send + Sync) {
    if !worthwhile(unknowns) {
        return items.into_iter().for_each(one);
    }
    #[cfg(feature = "rayon")]
    {
        use rayon::prelude::*;
        items.into_par_iter().for_each(one);
    }
    #[cfg(not(feature = "rayon"))]
    items.into_iter().for_each(one);
}
