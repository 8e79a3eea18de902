//! Drawing many images at once.

use std::{
    num::NonZero,
    sync::{Mutex, PoisonError},
    thread,
};

use super::scene::Artist;

/// Images that a thread draws before it asks for more.
const BLOCK: usize = 64;

/// Draws images 0..count on all cores, as bytes `[count, 3, S, S]`.
pub(super) fn draw_split(artist: &Artist, count: usize) -> Vec<u8> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    draw_with(artist, count, cores.min(count.div_ceil(BLOCK)))
}

/// Draws with a number of threads, which makes no difference to the images: each depends on its
/// own stream only.
fn draw_with(artist: &Artist, count: usize, threads: usize) -> Vec<u8> {
    let mut pixels = vec![0; count * artist.image_bytes()];
    {
        let blocks = Mutex::new(pixels.chunks_mut(BLOCK * artist.image_bytes()).enumerate());
        let work = || {
            let mut easel = artist.easel();
            loop {
                // Taken in a statement of its own: the lock is not held while drawing.
                let next = blocks.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((block, images)) = next else {
                    return;
                };
                let images = images.chunks_exact_mut(artist.image_bytes());
                for (i, image) in images.enumerate() {
                    artist.draw(block * BLOCK + i, &mut easel, image);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..threads {
                // If the system has no thread to spare, the others do its part.
                if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            work();
        });
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::{super::ProceduralConfig, *};
    use crate::stream::Purpose;

    #[test]
    fn images_do_not_depend_on_threads_or_on_how_many_there_are() {
        let artist = Artist::new(&ProceduralConfig::default(), Purpose::TrainImage);
        let one = draw_with(&artist, 150, 1);
        assert_eq!(one, draw_with(&artist, 150, 3));
        assert_eq!(one[..7 * artist.image_bytes()], draw_with(&artist, 7, 2));
    }
}
