//! Channels, rows and whole steps, one after another or on several threads; the same values on any number of them.

/// Unknowns a channel from which several threads are worth it.
const PARALLEL_UNKNOWNS: usize = 1 << 16;

/// Whether [`map`] uses several threads for channels of `unknowns`.
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

/// `one(c)` for every channel of `unknowns`, in order; the same on any number of threads.
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

/// Both, side by side where that is worth it for `unknowns`.
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

/// `one` for every item.
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
