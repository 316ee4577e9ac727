//! The sparse L1 autoencoder of arXiv 2405.14270: images as a few nonzero latents.
//!
//! A network n -> m -> l -> m -> n of fully connected layers with ReLU between them and l > n: the latent vector z is
//! longer than the image, but a penalty on |z| or on its differences leaves few of its elements nonzero. Trained by
//! Adam on
//!
//! ```text
//! mean over images of  |y' - y|^2 / n + lambda * |f(z)|_1,   f(z) = z  or  f(z)_i = z_i - z_(i-1)
//! ```
//!
//! where y is the image less the mean of the training images, scaled so that its pixels have unit variance. What the paper
//! does not state is chosen so: the norm of each latent's outgoing weights is kept at 1 or below and that of each unit
//! of the last hidden layer at 2 sqrt(n / m) or below (otherwise the penalty could be evaded by small latents and large
//! weights); latents are rounded to multiples of a step that is found on training images.
//!
//! An image then is the list of its nonzero latents (or differences of latents): distances between their places and
//! whole numbers, arithmetic-coded ([`Model::encode`]). Coding evaluates the network in a fixed order of plain
//! single-precision operations, so that the same model and bytes give the same image on every machine; training uses the
//! processor's fast matrix product, and gives the same weights for the same seed on one kind of processor, whatever the
//! threads.

mod code;
mod images;
mod measure;
mod model;
mod net;
mod product;
mod train;

pub use images::Images;
pub use measure::{Measured, Neighbours, measure, nearest_neighbours};
pub use model::Model;
pub use net::{Penalty, Sizes};
pub use train::{Progress, Training, train};
