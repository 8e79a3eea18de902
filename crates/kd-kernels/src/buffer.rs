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
    #[cfg(test)]
    let write = crate::guard::watched(write);
    let mut numbers = Vec::with_capacity(length);
    let unwritten = &mut numbers.spare_capacity_mut()[..length];
    write(unwritten);
    // SAFETY: the vector has this capacity, and the caller promises that all of it is written.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_there() {
        let write = |unwritten: &mut Unwritten| {
            let halves = unwritten.par_chunks_mut(2).enumerate();
            halves.for_each(|(index, half)| {
                for number in half {
                    number.write(index as f32);
                }
            });
        };
        // SAFETY: the chunks are all of it.
        #[allow(unsafe_code)]
        let [some, none] = [5, 0].map(|length| unsafe { written(length, write) });
        assert_eq!(some, [0.0, 0.0, 1.0, 1.0, 2.0]);
        assert!(none.is_empty());
    }

    #[test]
    fn parts_are_added_up() {
        assert_eq!(total(vec![vec![1.0, 2.0], vec![3.0, 4.0]]), [4.0, 6.0]);
        assert!(total(Vec::new()).is_empty());
    }
}
