//! Memory for tests: nothing can be read or written beyond it without the process ending, and what a
//! kernel leaves unwritten is seen.

use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};

use crate::buffer::Unwritten;

/// A NaN that no kernel computes: a number that was not written.
const CANARY: f32 = f32::from_bits(0x7fa5_a5a5);

/// Which end of the numbers is at a forbidden page: they are whole numbers of pages only by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    Start,
    End,
}

impl Edge {
    pub(crate) const BOTH: [Self; 2] = [Self::Start, Self::End];
}

/// Numbers with a forbidden page before and after those that they are in.
#[derive(Debug)]
pub(crate) struct Guarded {
    pages: pages::Pages,
    start: usize,
    length: usize,
}

impl Guarded {
    pub(crate) fn new(values: &[f32], edge: Edge) -> Self {
        let pages = pages::Pages::for_numbers(values.len());
        let mut guarded = Self {
            start: match edge {
                Edge::Start => 0,
                Edge::End => pages.numbers().len() - values.len(),
            },
            length: values.len(),
            pages,
        };
        guarded.copy_from_slice(values);
        guarded
    }
}

impl Deref for Guarded {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.pages.numbers()[self.start..][..self.length]
    }
}

impl DerefMut for Guarded {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.pages.numbers_mut()[self.start..][..self.length]
    }
}

/// `write`, on memory between forbidden pages and full of canaries, of which none may be left.
pub(crate) fn watched(write: impl FnOnce(&mut Unwritten)) -> impl FnOnce(&mut Unwritten) {
    move |out| {
        let mut written = Guarded::new(&vec![CANARY; out.len()], Edge::End);
        write(as_unwritten(&mut written));
        for (index, (out, number)) in out.iter_mut().zip(&*written).enumerate() {
            let left = number.to_bits() == CANARY.to_bits();
            assert!(!left, "number {index} of {} is not written", written.len());
            out.write(*number);
        }
    }
}

fn as_unwritten(numbers: &mut [f32]) -> &mut Unwritten {
    let (start, length) = (numbers.as_mut_ptr(), numbers.len());
    // SAFETY: the layout is the same, and kernels write nothing else than numbers.
    #[allow(unsafe_code)]
    unsafe {
        std::slice::from_raw_parts_mut(start.cast::<MaybeUninit<f32>>(), length)
    }
}

/// Pages of the system.
#[cfg(all(unix, not(miri)))]
#[allow(unsafe_code)]
mod pages {
    use std::ffi::c_void;
    use std::num::NonZeroUsize;
    use std::ptr::NonNull;
    use std::slice;

    use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

    /// A multiple of the size of a page on every system.
    const PAGE: usize = 1 << 16;

    #[derive(Debug)]
    pub(super) struct Pages {
        /// The first page, which is forbidden.
        start: NonNull<c_void>,
        /// Bytes of the pages between the first and the last.
        bytes: usize,
    }

    // SAFETY: the memory belongs to this value alone.
    unsafe impl Send for Pages {}
    // SAFETY: as of any slice.
    unsafe impl Sync for Pages {}

    impl Pages {
        pub(super) fn for_numbers(length: usize) -> Self {
            let bytes = (length * size_of::<f32>()).next_multiple_of(PAGE);
            let all = NonZeroUsize::new(bytes + 2 * PAGE).expect("pages");
            let (none, private) = (ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE);
            // SAFETY: new memory, at an address of the system's choice.
            let start = unsafe { mmap_anonymous(None, all, none, private) }.expect("memory");
            let pages = Self { start, bytes };
            if bytes > 0 {
                let both = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
                // SAFETY: these pages are part of what was mapped.
                unsafe { mprotect(pages.inner(), bytes, both) }.expect("rights");
            }
            pages
        }

        fn inner(&self) -> NonNull<c_void> {
            // SAFETY: the second page is part of what was mapped.
            unsafe { self.start.byte_add(PAGE) }
        }

        pub(super) fn numbers(&self) -> &[f32] {
            let start = self.inner().cast::<f32>().as_ptr();
            // SAFETY: so many bytes are mapped, zeros at first, and aligned as pages are.
            unsafe { slice::from_raw_parts(start, self.bytes / size_of::<f32>()) }
        }

        pub(super) fn numbers_mut(&mut self) -> &mut [f32] {
            let start = self.inner().cast::<f32>().as_ptr();
            // SAFETY: as above, and nobody else has them.
            unsafe { slice::from_raw_parts_mut(start, self.bytes / size_of::<f32>()) }
        }
    }

    impl Drop for Pages {
        fn drop(&mut self) {
            // SAFETY: it is what was mapped, and nobody has a part of it any more.
            unsafe { munmap(self.start, self.bytes + 2 * PAGE) }.expect("unmapped");
        }
    }
}

/// Where no page can be forbidden: Miri sees what is beyond a vector by itself.
#[cfg(any(not(unix), miri))]
mod pages {
    #[derive(Debug)]
    pub(super) struct Pages(Vec<f32>);

    impl Pages {
        pub(super) fn for_numbers(length: usize) -> Self {
            Self(vec![0.0; length])
        }

        pub(super) fn numbers(&self) -> &[f32] {
            &self.0
        }

        pub(super) fn numbers_mut(&mut self) -> &mut [f32] {
            &mut self.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "number 2 of 3 is not written")]
    fn what_is_left_unwritten_is_seen() {
        let mut out = Vec::with_capacity(3);
        let write = |out: &mut Unwritten| {
            out[0].write(1.0);
            out[1].write(f32::NAN);
        };
        watched(write)(&mut out.spare_capacity_mut()[..3]);
    }

    #[test]
    fn numbers_are_at_the_edge_of_their_pages() {
        let values: Vec<f32> = (0..5000u16).map(f32::from).collect();
        for length in [0, 1, 3, 5000] {
            for edge in Edge::BOTH {
                let guarded = Guarded::new(&values[..length], edge);
                assert_eq!(*guarded, values[..length]);
                let end = guarded.as_ptr_range().end as usize;
                let at_edge = match edge {
                    Edge::Start => guarded.as_ptr() as usize,
                    Edge::End => end,
                };
                assert!(cfg!(any(not(unix), miri)) || at_edge.is_multiple_of(1 << 12));
            }
        }
    }
}
