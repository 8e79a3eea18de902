//! On GPUs.

use burn::backend::cubecl::dtype_to_storage_type;
use burn::backend::tensor::IntTensor;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::std::tensor::layout::linear::{LinearView, LinearViewMut};
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, ir::ElemType, prelude::*};
use burn_cubecl::tensor::CubeTensor;

use super::ops::AssignOps;

impl AssignOps for CubeBackend {
    fn kd_assign_int(target: IntTensor<Self>, source: IntTensor<Self>) -> IntTensor<Self> {
        write(&target, source);
        target
    }
}

/// Copies the numbers of a tensor into the memory of another, whatever the order of either.
fn write(target: &CubeTensor, source: CubeTensor) {
    let count = target.meta.num_elements();
    if count == 0 {
        return;
    }
    let client = target.client.clone();
    let dim = CubeDim::new(&client, count);
    let cubes = calculate_cube_count_elemwise(&client, count, dim);
    copy::launch(
        &client,
        cubes,
        dim,
        source.into_linear_view(),
        target.clone().into_linear_view(),
        dtype_to_storage_type(target.dtype),
    );
}

#[cube(launch)]
fn copy<T: Numeric>(
    source: LinearView<'_, T>,
    mut target: LinearViewMut<'_, T>,
    #[define(T)] _kind: ElemType,
) {
    if !target.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    target.write(ABSOLUTE_POS, source.read(ABSOLUTE_POS));
}
