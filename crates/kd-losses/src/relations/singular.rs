//! Leading singular vectors of many matrices at once, on the device.

use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};

/// Vectors that are iterated besides those that are wanted: they carry what lies close below.
const OVERSAMPLING: usize = 8;
/// Multiplications of the subspace iteration.
const ITERATIONS: usize = 42;
/// Multiplications between two orthonormalizations in f64, whose digits suffice for the spread of
/// the eigenvalues to this power; in f32 each is followed by one.
const BETWEEN: usize = 3;
/// Sweeps of Jacobi's method; it converges quadratically after the first few.
const SWEEPS: usize = 7;
/// Steps of the conjugate gradients.
const SOLVER_STEPS: usize = 30;
/// Eigenvalues closer than this share of the largest are taken to be this far apart.
const SMALLEST_GAP: f64 = 1e-6;
const TINY: f64 = 1e-30;

/// The leading right singular vectors of matrices `X` `[batch, rows, columns]`, outside the graph.
///
/// They are computed in f64 where the device has it: in f32, vectors whose singular values are
/// close keep only some of their digits.
pub(crate) struct Leading {
    /// The type of the matrices that came in, and of all that goes out.
    dtype: DType,
    /// The matrices.
    x: Tensor<3>,
    /// `XᵀX`, where it is the smaller of the two products.
    gram: Option<Tensor<3>>,
    /// Eigenvalues of `XᵀX`, descending, `[batch, 1, block]`.
    eigenvalues: Tensor<3>,
    /// Their vectors, `[batch, columns, block]`.
    block: Tensor<3>,
    wanted: usize,
}

impl Leading {
    /// The `wanted` leading vectors, or all if there are fewer.
    ///
    /// A block of vectors is multiplied by the smaller of `XᵀX` and `XXᵀ` and orthonormalized, over
    /// and over; within the block, Jacobi's method separates the vectors. Matrices that are not
    /// larger than the block are decomposed by Jacobi's method alone, to rounding.
    pub(crate) fn new(x: Tensor<3>, wanted: usize) -> Self {
        let x = x.inner();
        let dtype = x.dtype();
        let x = if x.device().supports_dtype(FloatDType::F64) {
            x.cast(FloatDType::F64)
        } else {
            x
        };
        let [batch, rows, columns] = x.dims();
        let tall = rows >= columns;
        let transposed = x.clone().swap_dims(1, 2);
        let gram = if tall {
            transposed.clone().matmul(x.clone())
        } else {
            x.clone().matmul(transposed.clone())
        };
        let size = rows.min(columns);
        let block = (wanted + OVERSAMPLING).min(size);

        let basis = if block == size {
            eye(size, &x).expand([batch, size, size])
        } else {
            iterate(&gram, start(size, block, &x).expand([batch, size, block]))
        };
        let projected = basis
            .clone()
            .swap_dims(1, 2)
            .matmul(gram.clone().matmul(basis.clone()));
        let (eigenvalues, rotation) = jacobi(projected);
        let vectors = basis.matmul(rotation);
        let block = if tall {
            vectors
        } else {
            let singular = eigenvalues.clone().clamp_min(TINY).sqrt();
            transposed.matmul(vectors) / singular
        };
        Self {
            dtype,
            x,
            gram: tall.then_some(gram),
            eigenvalues,
            wanted: wanted.min(size),
            block,
        }
    }

    /// The leading vectors, `[batch, columns, wanted]`, of norm 1, each with its sign such that the
    /// entries do not add up to less than 0.
    pub(crate) fn vectors(&self) -> Tensor<3> {
        self.signed().cast(self.dtype)
    }

    fn signed(&self) -> Tensor<3> {
        let vectors = self.block.clone().narrow(2, 0, self.wanted);
        let negative = vectors.clone().sum_dim(1).lower_elem(0.0);
        let one = Tensor::ones_like(&vectors.clone().narrow(1, 0, 1));
        vectors * one.clone().mask_where(negative, one.neg())
    }

    /// The leading singular values, `[batch, 1, wanted]`.
    pub(crate) fn values(&self) -> Tensor<3> {
        let leading = self.eigenvalues.clone().narrow(2, 0, self.wanted);
        leading.clamp_min(0.0).sqrt().cast(self.dtype)
    }

    /// The gradient with respect to `X` of something whose gradient with respect to
    /// [`vectors`](Self::vectors) is known.
    ///
    /// With `G = XᵀX`, a change of `G` changes the vector of its eigenvalue `λ_i` by
    /// `dv_i = Σ_{j≠i} v_j (v_j · dG v_i) / (λ_i − λ_j)`. Within the block the sum is taken as it
    /// stands; the rest is the solution of `(λ_i − G) y = w` in the complement of the block, where
    /// the matrix is positive definite.
    pub(crate) fn gradient(&self, vectors_gradient: Tensor<3>) -> Tensor<3> {
        let vectors = self.signed();
        let weights = vectors_gradient.inner().cast(self.x.dtype());
        let block_size = self.block.dims()[2];
        let across = self.block.clone().swap_dims(1, 2);
        let leading = self.eigenvalues.clone().narrow(2, 0, self.wanted);

        // λ_i − λ_j for column i and row j, without its own.
        let gap = leading.clone() - self.eigenvalues.clone().swap_dims(1, 2);
        let smallest = (self.eigenvalues.clone().narrow(2, 0, 1) * SMALLEST_GAP).clamp_min(TINY);
        let below = gap.clone().lower_elem(0.0);
        let size = gap.clone().abs().max_pair(smallest.expand(gap.dims()));
        let gap = size.clone().mask_where(below, size.neg());
        let own = eye(block_size, &self.x).narrow(2, 0, self.wanted);
        let inside = across.clone().matmul(weights.clone());
        let share = inside.clone() / gap * (own.neg() + 1.0);
        let y = self.block.clone().matmul(share)
            + self.solve(&leading, weights - self.block.clone().matmul(inside));

        let multiply = |right: Tensor<3>| self.x.clone().matmul(right);
        let gradient = multiply(y.clone()).matmul(vectors.clone().swap_dims(1, 2))
            + multiply(vectors).matmul(y.swap_dims(1, 2));
        gradient.cast(self.dtype)
    }

    /// `(λ_i − XᵀX)⁻¹ w_i` in the complement of the block, by conjugate gradients for all columns
    /// at once.
    fn solve(&self, shifts: &Tensor<3>, right: Tensor<3>) -> Tensor<3> {
        if self.block.dims()[1] == self.block.dims()[2] {
            // The block is everything.
            return right.zeros_like();
        }
        let across = self.block.clone().swap_dims(1, 2);
        let transposed = self.x.clone().swap_dims(1, 2);
        // Rounding brings the block back in, where the matrix is not positive definite: a residual
        // that lies in it would never become smaller.
        let project =
            |z: Tensor<3>| z.clone() - self.block.clone().matmul(across.clone().matmul(z));
        let apply = |z: &Tensor<3>| {
            let product = match &self.gram {
                Some(gram) => gram.clone().matmul(z.clone()),
                None => transposed.clone().matmul(self.x.clone().matmul(z.clone())),
            };
            project(z.clone() * shifts.clone() - product)
        };
        let dot = |a: &Tensor<3>, b: &Tensor<3>| (a.clone() * b.clone()).sum_dim(1);
        // A denominator that has become 0 belongs to a residual that is 0.
        let divide = |a: Tensor<3>, b: Tensor<3>| {
            let zero = b.clone().lower_equal_elem(TINY);
            (a / b.mask_fill(zero.clone(), 1.0)).mask_fill(zero, 0.0)
        };
        let mut solution = right.zeros_like();
        let mut residual = right;
        let mut direction = residual.clone();
        let mut square = dot(&residual, &residual);
        for _ in 0..SOLVER_STEPS {
            let applied = apply(&direction);
            let step = divide(square.clone(), dot(&direction, &applied));
            solution = solution + direction.clone() * step.clone();
            residual = project(residual - applied * step);
            let next = dot(&residual, &residual);
            direction = residual.clone() + direction * divide(next.clone(), square);
            square = next;
        }
        solution
    }
}

/// The unit matrix `[1, size, size]`, of the type of `like`.
fn eye(size: usize, like: &Tensor<3>) -> Tensor<3> {
    Tensor::<2>::eye(size, &like.device())
        .cast(like.dtype())
        .unsqueeze()
}

/// Vectors to start from, `[1, size, block]`: fixed, and in no special position.
fn start(size: usize, block: usize, like: &Tensor<3>) -> Tensor<3> {
    Tensor::<1, Int>::arange(0..(size * block) as i64, &like.device())
        .float()
        .cast(like.dtype())
        .mul_scalar(12.9898)
        .sin()
        .reshape([1, size, block])
}

/// Multiplies by `gram` and orthonormalizes, over and over.
fn iterate(gram: &Tensor<3>, mut basis: Tensor<3>) -> Tensor<3> {
    let between = match gram.dtype() {
        DType::F64 => BETWEEN,
        _ => 1,
    };
    for _ in 0..ITERATIONS / between {
        for _ in 0..between {
            basis = gram.clone().matmul(basis);
        }
        basis = orthonormal(basis);
    }
    basis
}

/// Gram and Schmidt's orthonormalization of the columns, each subtracted twice.
fn orthonormal(columns: Tensor<3>) -> Tensor<3> {
    let device = columns.device();
    let mut done: Option<Tensor<3>> = None;
    for column in columns.split(1, 2) {
        let unit = |column: Tensor<3>| {
            let norm = column.clone().square().sum_dim(1).sqrt();
            column / norm.clamp_min(TINY)
        };
        let mut column = unit(column);
        if let Some(done) = &done {
            for _ in 0..2 {
                let along = done.clone().swap_dims(1, 2).matmul(column.clone());
                column = unit(column - done.clone().matmul(along));
            }
        }
        done = Some(match done {
            None => column,
            Some(done) => Tensor::cat(vec![done, column], 2),
        });
    }
    done.unwrap_or_else(|| Tensor::zeros([0, 0, 0], &device))
}

/// Partners of each index in each of `size - 1` rounds, in which everyone meets everyone once
/// (`size` is even).
fn rounds(size: usize) -> Vec<Vec<usize>> {
    let last = size - 1;
    (0..last)
        .map(|round| {
            (0..size)
                .map(|index| match index {
                    index if index == last => {
                        // The one who would meet himself: 2 i ≡ round.
                        (round * size / 2) % last
                    }
                    index if (2 * index) % last == round => last,
                    index => (round + last - index % last) % last,
                })
                .collect()
        })
        .collect()
}

fn constant(values: Vec<f32>, shape: [usize; 3], device: &Device) -> Tensor<3> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Eigenvalues `[batch, 1, size]`, descending, and eigenvectors (columns) of symmetric positive
/// semidefinite matrices `[batch, size, size]`.
fn jacobi(matrices: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
    let [batch, size, _] = matrices.dims();
    let device = matrices.device();
    if size == 1 {
        return (matrices.clone(), matrices.ones_like());
    }
    // An odd size gets one more eigenvalue, below all others.
    let even = size + size % 2;
    let mut a = matrices;
    if even > size {
        let column = a.clone().narrow(2, 0, 1).zeros_like();
        let row = a.clone().narrow(1, 0, 1).zeros_like();
        let corner = a.clone().narrow(1, 0, 1).narrow(2, 0, 1).ones_like().neg();
        a = Tensor::cat(
            vec![
                Tensor::cat(vec![a, column], 2),
                Tensor::cat(vec![row, corner], 2),
            ],
            1,
        );
    }
    let dtype = a.dtype();
    let eye = eye(even, &a);
    let mut vectors = eye.clone().expand([batch, even, even]);
    let rounds: Vec<(Tensor<3>, Tensor<3>)> = rounds(even)
        .into_iter()
        .map(|partners| {
            let mut pairing = vec![0f32; even * even];
            let mut signs = vec![0f32; even];
            for (index, partner) in partners.into_iter().enumerate() {
                pairing[index * even + partner] = 1.0;
                signs[index] = if index < partner { 1.0 } else { -1.0 };
            }
            (
                constant(pairing, [1, even, even], &device).cast(dtype),
                constant(signs, [1, even, 1], &device).cast(dtype),
            )
        })
        .collect();
    for _ in 0..SWEEPS {
        for (pairing, signs) in &rounds {
            // All disjoint pairs (p, q) of a round at once, one row for each index.
            let diagonal = (a.clone() * eye.clone()).sum_dim(2);
            let off = (a.clone() * pairing.clone()).sum_dim(2);
            let across = pairing
                .clone()
                .expand([batch, even, even])
                .matmul(diagonal.clone());
            let difference = across - diagonal;
            let sign = difference.clone().sign();
            let sign = sign.clone() + signs.clone() * (sign.abs().neg() + 1.0);
            let root = (difference.clone().square() + off.clone().square() * 4.0).sqrt();
            // Away from 0 by the sign: both are 0 only if there is nothing to rotate.
            let tangent = off * 2.0 / (difference + sign.clone() * (root + TINY));
            let cosine = (tangent.clone().square() + 1.0).sqrt().recip();
            let rotation = eye.clone() * cosine.clone() + pairing.clone() * (tangent * cosine);
            a = rotation
                .clone()
                .swap_dims(1, 2)
                .matmul(a)
                .matmul(rotation.clone());
            vectors = vectors.matmul(rotation);
        }
    }
    let eigenvalues: Tensor<2> = (a * eye).sum_dim(1).squeeze_dim(1);
    let (eigenvalues, order) = eigenvalues.sort_descending_with_indices(1);
    let order = order.unsqueeze_dim::<3>(1).expand([batch, even, even]);
    let vectors = vectors.gather(2, order);
    (
        eigenvalues.narrow(1, 0, size).unsqueeze_dim(1),
        vectors.narrow(1, 0, size).narrow(2, 0, size),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    fn random(shape: [usize; 3]) -> Tensor<3> {
        crate::testing::random(shape, Distribution::Normal(0.0, 1.0), &Device::default())
    }

    fn largest(tensor: Tensor<3>) -> f32 {
        tensor.abs().max().into_scalar()
    }

    #[test]
    fn everyone_meets_everyone_once() {
        for size in [2, 4, 6, 12] {
            let mut met = vec![0; size * size];
            for round in rounds(size) {
                for (index, partner) in round.iter().enumerate() {
                    assert_eq!(round[*partner], index);
                    assert_ne!(index, *partner);
                    met[index * size + partner] += 1;
                }
            }
            for index in 0..size {
                for other in 0..size {
                    assert_eq!(met[index * size + other], i32::from(index != other));
                }
            }
        }
    }

    #[test]
    fn vectors_are_singular_vectors() {
        for shape in [
            [3, 20, 5],
            [3, 5, 20],
            [2, 7, 7],
            [2, 40, 30],
            [2, 30, 48],
            [2, 3, 1],
        ] {
            // Columns of different size, so that the values are apart.
            let columns = shape[2] as i64;
            let scale = Tensor::<1, Int>::arange(1..columns + 1, &Device::default()).float();
            let x = random(shape) / scale.reshape([1, 1, shape[2]]);
            let leading = Leading::new(x.clone(), 4);
            let (vectors, values) = (leading.vectors(), leading.values());
            let gram = x.clone().swap_dims(1, 2).matmul(x);
            let residual = gram.matmul(vectors.clone()) - vectors.clone() * values.clone().square();
            let error = largest(residual) / largest(values).powi(2);
            assert!(error < 1e-4, "{shape:?}: {error}");
            let kept = vectors.dims()[2];
            let product = vectors.clone().swap_dims(1, 2).matmul(vectors);
            let eye = Tensor::<2>::eye(kept, &product.device()).unsqueeze::<3>();
            assert!(largest(product - eye) < 1e-4, "{shape:?}");
        }
    }

    #[test]
    fn zeros_are_finite() {
        for shape in [[2, 30, 20], [2, 3, 4]] {
            let leading = Leading::new(Tensor::zeros(shape, &Device::default()), 4);
            let vectors = leading.vectors();
            let gradient = leading.gradient(vectors.ones_like());
            assert!(largest(vectors).is_finite() && largest(gradient).is_finite());
        }
    }

    #[test]
    fn the_gradient_is_the_slope() {
        for shape in [[1, 9, 4], [1, 4, 9], [1, 40, 30], [1, 24, 40]] {
            // Singular values that are well apart, whatever is drawn.
            let falling = |length: usize| {
                Tensor::<1, Int>::arange(0..length as i64, &Device::default())
                    .float()
                    .mul_scalar(-0.5)
                    .exp()
            };
            let x = random(shape) * 0.02
                + falling(shape[1]).reshape([1, shape[1], 1])
                    * Tensor::<2>::eye(shape[1].max(shape[2]), &Device::default())
                        .narrow(0, 0, shape[1])
                        .narrow(1, 0, shape[2])
                        .unsqueeze::<3>();
            let leading = Leading::new(x.clone(), 2);
            let weights = random([1, shape[2], 2]);
            let along = random(shape);
            let gradient = leading.gradient(weights.clone());
            let expected: f32 = (gradient * along.clone()).sum().into_scalar();
            let step = 1e-3;
            let value = |by: f64| -> f32 {
                let moved = Leading::new(x.clone() + along.clone() * by, 2).vectors();
                (moved * weights.clone()).sum().into_scalar()
            };
            let slope = (value(step) - value(-step)) / (2.0 * step as f32);
            let error = (slope - expected).abs() / expected.abs().max(1.0);
            assert!(error < 3e-2, "{shape:?}: {slope}, {expected}");
        }
    }
}
