//! Memory for results.

use burn_cubecl::cubecl::zspace::metadata::Metadata;
use burn_cubecl::tensor::CubeTensor;

/// A tensor of this shape with axes in the same order in memory, not written yet.
pub(crate) fn empty_like(tensor: &CubeTensor) -> CubeTensor {
    let shape = tensor.meta.shape().clone();
    let old = tensor.meta.strides();
    let mut axes: Vec<usize> = (0..shape.len()).collect();
    axes.sort_by_key(|axis| old[*axis]);
    let mut strides = old.clone();
    let mut next = 1;
    for axis in axes {
        strides[axis] = next;
        next *= shape[axis];
    }
    let handle = tensor.client.empty(next * tensor.dtype.size());
    let (client, device) = (tensor.client.clone(), tensor.device.clone());
    let meta = Metadata::new(shape, strides);
    CubeTensor::new(client, handle, meta, device, tensor.dtype)
}
