//! Memory that a thread keeps for the next convolution.

use std::cell::RefCell;

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Elements of a line of the cache.
const LINE: usize = 16;

/// Runs `work` with slices of these lengths, of any content, each at the start of a cache line.
pub(super) fn with<const N: usize, T>(
    lengths: [usize; N],
    work: impl FnOnce([&mut [f32]; N]) -> T,
) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        let whole = |length: &usize| length.next_multiple_of(LINE);
        let total = LINE + lengths.iter().map(whole).sum::<usize>();
        if scratch.len() < total {
            scratch.resize(total, 0.0);
        }
        let start = scratch.as_ptr().align_offset(LINE * size_of::<f32>());
        let mut rest = &mut scratch[start.min(LINE)..];
        let slices = lengths.map(|length| {
            let (slice, after) = std::mem::take(&mut rest).split_at_mut(whole(&length));
            rest = after;
            &mut slice[..length]
        });
        work(slices)
    })
}
