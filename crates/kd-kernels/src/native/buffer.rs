//! Memory for results.

use std::mem::MaybeUninit;

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
