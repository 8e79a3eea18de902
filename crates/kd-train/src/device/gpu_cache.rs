//! Where the tuned and compiled kernels of GPUs are kept.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

#[cfg(any(feature = "cuda", feature = "wgpu"))]
use cubecl::config::{CubeClRuntimeConfig, RuntimeConfig, cache::CacheConfig};

/// The folder that was started.
static IN_USE: OnceLock<GpuCache> = OnceLock::new();

/// The folder in which the kernels of GPUs are kept from one process to the next. A GPU's kernels are
/// compiled and tuned when they are first used, which takes minutes; what is kept is read in seconds.
/// There is one file for each card and version of `kd`.
///
/// It is the process's, and holds from the first GPU that is opened: the first that says a folder
/// is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuCache {
    folder: PathBuf,
}

impl GpuCache {
    /// Kernels are kept in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder in use, once there is one.
    pub fn in_use() -> Option<&'static Self> {
        IN_USE.get()
    }

    /// Uses the folder from now on, in this process, unless another one is in use already: returns the
    /// one that is. Without GPUs in the build, there is nothing to keep.
    pub fn start(self) -> &'static Self {
        IN_USE.get_or_init(|| {
            #[cfg(any(feature = "cuda", feature = "wgpu"))]
            keep_in(&self.folder);
            self
        })
    }
}

/// The variable that names the folder, for the processes that a program starts.
pub const GPU_CACHE_VARIABLE: &str = "KD_GPU_CACHE";

/// The folder in which kernels are kept unless another one is [started](GpuCache::start): what the
/// variable [`GPU_CACHE_VARIABLE`] says, or else `kd/gpu` in the user's folder for caches, for example
/// `~/.cache/kd/gpu`.
pub fn default_gpu_cache() -> GpuCache {
    if let Some(folder) = std::env::var_os(GPU_CACHE_VARIABLE) {
        return GpuCache::new(folder);
    }
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    let caches = CacheConfig::Global.root().with_file_name("");
    #[cfg(not(any(feature = "cuda", feature = "wgpu")))]
    let caches = PathBuf::new();
    GpuCache::new(caches.join("kd/gpu"))
}

/// CubeCL's own files and variables hold for everything else, and a program that has configured it
/// already is not overruled.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn keep_in(folder: &Path) {
    let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
    config.compilation.cache = true;
    config.environment.path = CacheConfig::Directory(folder.to_owned());
    CubeClRuntimeConfig::try_set(config);
}

/// Keeps kernels by the name of the card: what is fastest is another one on each, and CubeCL's keys do
/// not say which card it was. A name in `CUBECL_ENVIRONMENT` comes first.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(super) fn name_after(card: &str) {
    if std::env::var_os("CUBECL_ENVIRONMENT").is_some() {
        return;
    }
    let name = environment_of(card);
    if *cubecl::environment::active() != *name {
        cubecl::environment::activate(name);
    }
}

/// The name of a card's environment, for example `nvidia-h100-kd-0.1.0`.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn environment_of(card: &str) -> String {
    let words = card.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    format!("{}-kd-{}", words.join("-"), env!("CARGO_PKG_VERSION"))
}

#[cfg(all(test, any(feature = "cuda", feature = "wgpu")))]
mod tests {
    use super::*;

    #[test]
    fn environments_are_named_after_card_and_version() {
        let name = environment_of("llvmpipe (LLVM 19.1.7, 256 bits)");
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(name, format!("llvmpipe-llvm-19-1-7-256-bits-kd-{version}"));
    }

    #[test]
    fn the_default_folder_is_among_the_users_caches() {
        assert!(default_gpu_cache().folder().ends_with("kd/gpu"));
    }
}
