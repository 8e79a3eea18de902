//! Copies of the training state.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use kd_kernels::assign;

use super::places::{Place, like};

/// Copies of tensors by the parameters that they belong to, flat.
pub(crate) type Copies = HashMap<ParamId, Tensor<1>>;

/// Copies of all that a step changes, in memory of their own.
#[derive(Default)]
pub(crate) struct Snapshot {
    /// Parameters and running statistics, and the velocities of the former.
    pub(crate) values: Copies,
    pub(crate) velocities: Copies,
    /// The average of the student, whose parameters have the identities of the student's.
    pub(crate) average: Copies,
    /// What is in no module.
    pub(crate) tables: Vec<Option<Tensor<2>>>,
}

impl Snapshot {
    /// The greatest difference of a number to that of another state, as a share of the greatest of
    /// its tensor.
    pub(crate) fn difference(&self, other: &Self) -> f64 {
        let flat = |table: &Option<Tensor<2>>| table.clone().map(|table| table.flatten(0, 1));
        let tables = self.tables.iter().map(flat);
        let tables = tables.zip(other.tables.iter().map(flat));
        let tables = tables.filter_map(|(ours, theirs)| Some((ours?, theirs?)));
        let maps = [
            (&self.values, &other.values),
            (&self.velocities, &other.velocities),
            (&self.average, &other.average),
        ];
        let maps = maps.into_iter().flat_map(|(ours, theirs)| {
            let pair = |(id, ours): (_, &Tensor<1>)| Some((ours.clone(), theirs.get(id)?.clone()));
            ours.iter().filter_map(pair)
        });
        let shares: Vec<Tensor<1>> = maps.chain(tables).map(share).collect();
        if shares.is_empty() {
            return 0.0;
        }
        let shares = Tensor::cat(shares, 0).into_data();
        // What is not a number differs from everything.
        shares
            .iter::<f64>()
            .fold(0.0, |largest, share| match share <= largest {
                true => largest,
                false => share,
            })
    }
}

/// The greatest difference of two tensors as a share of the greatest number, `[1]`.
fn share((ours, theirs): (Tensor<1>, Tensor<1>)) -> Tensor<1> {
    let scale = theirs.clone().abs().max().clamp_min(f32::MIN_POSITIVE);
    (ours - theirs).abs().max() / scale
}

/// A copy of a tensor in memory of its own.
pub(crate) fn copy<const D: usize>(value: Tensor<D>) -> Tensor<D> {
    assign(value.zeros_like(), value)
}

/// A copy in the place of a tensor, or by itself if the place cannot be relied upon.
pub(crate) fn restored<const D: usize>(
    copy: Tensor<D>,
    place: Option<Tensor<D>>,
    in_place: bool,
) -> Tensor<D> {
    match place.filter(|_| in_place) {
        Some(place) => assign(place, copy),
        None => copy,
    }
}

/// Copies of the tensors of a module.
pub(crate) fn values<M: Module>(module: &M) -> Copies {
    struct Copy(Copies);

    impl ModuleVisitor for Copy {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let flat: Tensor<1> = param.val().inner().flatten(0, D - 1);
            self.0.insert(param.id, copy(flat));
        }
    }

    let mut copy = Copy(Copies::new());
    module.visit(&mut copy);
    copy.0
}

/// Brings a module back to copies of its tensors.
pub(crate) fn restore<M: Module>(module: M, copies: Copies, in_place: bool) -> M {
    struct Restore(Copies, bool);

    impl ModuleMapper for Restore {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let Some(copy) = self.0.remove(&param.id) else {
                return param;
            };
            param.map(|value| {
                let place = value.clone().inner();
                let copy = copy.reshape(place.dims());
                like(&value, restored(copy, Some(place), self.1))
            })
        }
    }

    module.map(&mut Restore(copies, in_place))
}

/// Copies of the velocities of a module's parameters.
pub(super) fn velocities<M: Module>(module: &M, places: &HashMap<ParamId, Place>) -> Copies {
    struct Copy<'a>(&'a HashMap<ParamId, Place>, Copies);

    impl ModuleVisitor for Copy<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(place) = self.0.get(&param.id) {
                let flat = Tensor::<D>::from_dispatch(place.clone()).flatten(0, D - 1);
                self.1.insert(param.id, copy(flat));
            }
        }
    }

    let mut copy = Copy(places, Copies::new());
    module.visit(&mut copy);
    copy.1
}

/// Brings velocities back to copies of them; those without a copy go.
pub(super) fn restore_velocities<M: Module>(
    module: &M,
    copies: Copies,
    places: HashMap<ParamId, Place>,
    in_place: bool,
) -> HashMap<ParamId, Place> {
    struct Restore {
        copies: Copies,
        from: HashMap<ParamId, Place>,
        to: HashMap<ParamId, Place>,
        in_place: bool,
    }

    impl ModuleVisitor for Restore {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let place = self.from.remove(&param.id).map(Tensor::<D>::from_dispatch);
            if let Some(copy) = self.copies.remove(&param.id) {
                let copy = copy.reshape(param.val().dims());
                let velocity = restored(copy, place, self.in_place);
                self.to.insert(param.id, velocity.into_dispatch());
            }
        }
    }

    let mut restore = Restore {
        copies,
        from: places,
        to: HashMap::new(),
        in_place,
    };
    module.visit(&mut restore);
    restore.to
}
