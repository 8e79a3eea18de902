//! The same thing of both networks.

/// Something of the student and the same of the teacher: channels, lengths or shapes. They are
/// given by name, so that they cannot be swapped unnoticed.
///
/// ```
/// use burn::tensor::Device;
/// use kd_losses::Pair;
/// use kd_losses::maps::FtLossConfig;
///
/// let channels = Pair { student: 16, teacher: 64 };
/// let ft = FtLossConfig::new().init(channels, &Device::flex())?;
/// # Ok::<(), kd_losses::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair<T> {
    /// The student's.
    pub student: T,
    /// The teacher's.
    pub teacher: T,
}

impl<T> Pair<T> {
    /// The same of both.
    pub fn both(value: T) -> Self
    where
        T: Clone,
    {
        Self {
            student: value.clone(),
            teacher: value,
        }
    }

    /// What `f` makes of either.
    pub fn map<U>(self, f: impl Fn(T) -> U) -> Pair<U> {
        Pair {
            student: f(self.student),
            teacher: f(self.teacher),
        }
    }
}
