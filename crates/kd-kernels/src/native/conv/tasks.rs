//! A backward pass in parts.

use crate::native::buffer::Unwritten;

/// Inputs, gradients of outputs, and where the gradients of the inputs go.
pub(super) type Task<'a> = (&'a [f32], &'a [f32], &'a mut Unwritten);

/// Cuts a backward pass into tasks of so many inputs and outputs. If `dx` is empty, so are its parts.
pub(super) fn tasks<'a>(
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut Unwritten,
    [inputs, outputs]: [usize; 2],
) -> Vec<Task<'a>> {
    let wanted = !dx.is_empty();
    let mut rest = dx;
    x.chunks(inputs)
        .zip(dy.chunks(outputs))
        .map(|(x, dy)| {
            let length = if wanted { x.len() } else { 0 };
            let (dx, after) = std::mem::take(&mut rest).split_at_mut(length);
            rest = after;
            (x, dy, dx)
        })
        .collect()
}
