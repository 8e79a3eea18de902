//! Memory for results.

use std::mem::MaybeUninit;

use rayon::prelude::*;

/// Numbers that have not been written yet.
pub(crate) type Unwritten = [MaybeUninit<f32>];

/// A vector of `length` numbers, all of which `write` writes.
///
/// Zeros would be written first otherwise, on one thread, which takes longer than some kernels.
///
/// # Safety
///
/// `write` has to write every number.
#[allow(unsafe_code)]
pub(crate) unsafe fn written(length: usize, write: impl FnOnce(&mut Unwritten)) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(length);
    let unwritten = &mut numbers.spare_capacity_mut()[..length];
    write(unwritten);
    // SAFETY: the caller promises that all of it is written.
    unsafe { numbers.set_len(length) };
    numbers
}

/// Numbers that are worth a thread of their own.
const SHARE: usize = 1 << 14;

/// The sum of vectors of one length, added up in order.
pub(crate) fn total(parts: Vec<Vec<f32>>) -> Vec<f32> {
    let mut parts = parts.into_iter();
    let mut sum = parts.next().unwrap_or_default();
    for part in parts {
        sum.par_chunks_mut(SHARE)
            .zip(part.par_chunks(SHARE))
            .for_each(|(sum, part)| {
                for (sum, value) in sum.iter_mut().zip(part) {
                    *sum += value;
                }
            });
    }
    sum
}
