//! Which kind of file it is.

/// Kinds of files by their first bytes.
pub(super) enum Kind {
    /// A zip archive, which PyTorch writes.
    Archive,
    /// A pickle, the first of PyTorch's old format.
    Pickle,
    Safetensors,
    /// Nothing that is read, and what it seems to be.
    Other(&'static str),
}

/// How many bytes tell the kind.
pub(super) const HEAD: u64 = 32;

impl Kind {
    pub(super) fn of(first: &[u8]) -> Self {
        let begins = |start: &[u8]| first.starts_with(start);
        match first {
            [] => Self::Other("it is empty"),
            // The length of the header, and its first character.
            [_, _, _, _, _, _, _, _, b'{', ..] => Self::Safetensors,
            [b'P', b'K', ..] => Self::Archive,
            [0x80, 2..=5, ..] => Self::Pickle,
            _ if begins(b"version https://git-lfs") => {
                Self::Other("a Git LFS pointer, not the file itself; run `git lfs pull`")
            }
            [b'<', ..] => Self::Other("a web page, perhaps from a failed download"),
            _ if begins(b"\x89HDF") => {
                Self::Other("an HDF5 file, as Keras writes; expected a PyTorch checkpoint")
            }
            _ if begins(b"\x1f\x8b") => Self::Other("compressed by gzip; unpack it first"),
            _ => Self::Other("neither a safetensors file nor a PyTorch checkpoint"),
        }
    }
}

/// What an archive is that is no checkpoint, by the names of its entries.
pub(super) fn of_archive(names: &[String]) -> Option<&'static str> {
    let ends = |end: &str| names.iter().any(|name| name.ends_with(end));
    let inside = |part: &str| names.iter().any(|name| name.contains(part));
    let exported = [
        "serialized_exported_program.json",
        "archive_format",
        "models/model.json",
    ];
    if exported.into_iter().any(ends) {
        return Some(
            "a torch.export program: expected a state dict, which `torch.save(torch.export.load(FILE).state_dict, \
             OUT)` in Python writes",
        );
    }
    if ends("constants.pkl") || inside("code/__torch__") || inside("/code/") && ends(".py") {
        return Some(
            "a TorchScript program: expected a state dict, which \
             `torch.save(torch.jit.load(FILE, \"cpu\").state_dict(), OUT)` in Python writes",
        );
    }
    let arrays = names.iter().all(|name| name.ends_with(".npy"));
    (arrays && !names.is_empty()).then_some("NumPy arrays (.npz); expected a PyTorch checkpoint")
}
