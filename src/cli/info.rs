//! `inrfit info`

use super::args::Talk;
use super::device;
use super::files::{Content, content, is_an_array};
use super::inside::{Inside, record_bytes, record_name};
use super::output::{Out, digits, extents, table};
use super::report::json;
use super::{Exit, keep_failure};
use clap::Args;
use inrfit::codec::Layers;
use inrfit::container::Limits;
use inrfit::container::Record;
use inrfit::container::is_prior;
use inrfit::domain::Transform;
use inrfit::error::Result;
use inrfit::net::NetSpec;
use inrfit::prior::{Prior, hex};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Show what compressed events hold
///
/// Reads the records of each file and checks their checksums; decodes nothing. Offsets and sizes are in bytes. Of a
/// pack each event is told as if it were a file; of a prior, its kind, size and hash.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  inrfit info event.npy.inrfit\n  inrfit info event.npy.inrfit --json | jq .network\n  inrfit info --device"
)]
pub struct Info {
    /// Compressed events or packs of them; - for standard input
    #[arg(required_unless_present = "device", value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Tell of the GPU that --device cuda would take, or why there is none
    #[arg(long, conflicts_with_all = ["inputs", "json"])]
    device: bool,
    #[command(flatten)]
    talk: Talk,
}

/// What is told of a file.
#[derive(Debug, Serialize)]
struct Description {
    input: String,
    version: u8,
    mode: &'static str,
    /// What no voxel is off by more than, in words.
    bound: Option<String>,
    shape: [usize; 3],
    dtype: &'static str,
    raw_bytes: u64,
    bytes: usize,
    ratio: f64,
    /// Lowest and highest nonzero sample.
    range: [f64; 2],
    peak: f64,
    device: &'static str,
    tiles: Tiles,
    network: Option<Network>,
    coordinates: Option<Coordinates>,
    transform: Option<Value>,
    /// First bytes of the hash of the prior that it needs.
    prior: Option<String>,
    /// First bytes of the hash of the prior that its fields are told from.
    start: Option<String>,
    n_weights: u64,
    layers: Layers,
    records: Vec<Entry>,
}

/// What is told of a prior.
#[derive(Debug, Serialize)]
struct PriorDescription {
    input: String,
    prior: &'static str,
    hash: String,
    bytes: usize,
    /// Of a prior of contexts.
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden: Option<[usize; 2]>,
    /// Of a prior for fitting.
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Network>,
    n_weights: usize,
}

#[derive(Debug, Serialize)]
struct Tiles {
    n: usize,
    counts: [usize; 3],
    largest: [usize; 3],
}

#[derive(Debug, Serialize)]
struct Network {
    model: &'static str,
    hidden: usize,
    layers: usize,
    heads: usize,
    features: usize,
    n_weights: usize,
    /// Of the family, by their names.
    #[serde(flatten)]
    constants: BTreeMap<&'static str, f64>,
}

#[derive(Debug, Serialize)]
struct Coordinates {
    lo: [f32; 3],
    hi: [f32; 3],
}

#[derive(Debug, Serialize)]
#[serde(tag = "name", rename_all = "lowercase")]
enum Value {
    Log2 { unit_exponent: i32, center: f32, scale: f32 },
    Ln { offset: f32, scale: f32, cut: f32 },
}

#[derive(Debug, Serialize)]
struct Entry {
    name: &'static str,
    #[serde(rename = "type")]
    kind: u8,
    offset: u64,
    bytes: u64,
}

/// Records listed for people before the rest is summed up.
const N_LISTED: usize = 24;

/// Runs the command.
///
/// # Errors
/// Where standard output fails.
pub fn run(args: &Info, out: &mut Out) -> Result<Exit> {
    if args.device {
        for line in device::describe()? {
            out.line(&line)?;
        }
        return Ok(Exit::Done);
    }
    let mut failures = Vec::new();
    let mut n_told = 0;
    for input in &args.inputs {
        let mut tell = |described: Result<Description>| {
            n_told += 1;
            match described {
                Ok(description) if args.talk.json => out.line(&json(&description)?)?,
                Ok(description) if args.talk.is_human() => {
                    if n_told > 1 {
                        out.line("")?;
                    }
                    for line in description.lines() {
                        out.line(&line)?;
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    keep_failure(&error, &mut failures);
                }
            }
            Ok(())
        };
        match content(input) {
            Ok(Content::Event(bytes)) if is_prior(&bytes) => {
                n_told += 1;
                match describe_prior(input.display().to_string(), &bytes) {
                    Ok(prior) if args.talk.json => out.line(&json(&prior)?)?,
                    Ok(prior) if args.talk.is_human() => out.line(&prior.text())?,
                    Ok(_) => {}
                    Err(error) => {
                        keep_failure(&error, &mut failures);
                    }
                }
            }
            Ok(Content::Event(bytes)) => tell(describe(input.display().to_string(), &bytes))?,
            Ok(Content::Pack(mut pack)) => {
                for i in 0..pack.n_events() {
                    let name = format!("{}[{i}]", input.display());
                    let packed = pack.read(i).map_err(|e| e.context(&name));
                    tell(packed.and_then(|packed| describe(name, &packed.file)))?;
                }
            }
            Ok(Content::Array(_)) => tell(Err(is_an_array(input)))?,
            Err(error) => tell(Err(error))?,
        }
    }
    Ok(Exit::of_inputs(n_told, &failures))
}

fn describe(name: String, bytes: &[u8]) -> Result<Description> {
    let inside = Inside::read(bytes).map_err(|e| e.context(&name))?;
    Ok(Description::new(name, bytes.len(), &inside))
}

fn describe_prior(input: String, bytes: &[u8]) -> Result<PriorDescription> {
    let bytes_in_all = bytes.len();
    Ok(match Prior::from_bytes(bytes, &Limits::default()).map_err(|e| e.context(&input))? {
        Prior::Contexts(prior) => PriorDescription {
            input,
            prior: "contexts",
            hash: hex(&prior.hash()),
            bytes: bytes_in_all,
            hidden: Some(prior.network().units()),
            network: None,
            n_weights: prior.network().n_weights(),
        },
        Prior::Start(prior) => PriorDescription {
            input,
            prior: "fit",
            hash: hex(&prior.hash()),
            bytes: bytes_in_all,
            hidden: None,
            network: Some(Network::new(&prior.network().spec)),
            n_weights: prior.weights().values().len(),
        },
    })
}

impl PriorDescription {
    fn text(&self) -> String {
        let PriorDescription { input, bytes, n_weights, hash, .. } = self;
        let what = match (&self.network, self.hidden) {
            (Some(network), _) => format!("prior for fitting, {bytes} bytes, {}", network.in_words()),
            (None, hidden) => {
                let [a, b] = hidden.unwrap_or_default();
                format!(
                    "prior of contexts, {bytes} bytes, hidden layers of {a} and {b} units, {n_weights} weights"
                )
            }
        };
        format!("{input}: {what}\nhash {hash}")
    }
}

impl Description {
    fn new(input: String, n_bytes: usize, inside: &Inside<'_>) -> Description {
        let header = &inside.contents.header;
        let network = inside.contents.network;
        // Nothing is decoded, so the header's word is taken for sizes that no memory holds.
        let extent = header.shape.iter().fold(1u64, |n, &e| n.saturating_mul(e as u64));
        let raw_bytes = extent.saturating_mul(header.dtype.n_bytes() as u64);
        Description {
            input,
            version: inside.version,
            mode: inside.mode(),
            bound: inside.bound(),
            shape: header.shape,
            dtype: header.dtype.name(),
            raw_bytes,
            bytes: n_bytes,
            ratio: raw_bytes as f64 / n_bytes as f64,
            range: [header.range.0, header.range.1],
            peak: header.peak,
            device: inside.device(),
            tiles: Tiles {
                n: inside.contents.grid.n_tiles(),
                counts: header.tile_counts,
                largest: [0, 1, 2].map(|a| header.shape[a].div_ceil(header.tile_counts[a].max(1))),
            },
            network: network.map(|n| Network::new(&n.spec)),
            coordinates: network.map(|n| Coordinates { lo: n.coords.lo, hi: n.coords.hi }),
            transform: network.map(|n| match n.transform {
                Transform::Log2 { unit_exponent, center, scale } => {
                    Value::Log2 { unit_exponent, center, scale }
                }
                Transform::Ln { offset, scale, cut } => Value::Ln { offset, scale, cut },
            }),
            prior: inside.contents.prior.map(|hash| hex(&hash)),
            start: inside.contents.start.map(|hash| hex(&hash)),
            n_weights: inside.n_weights,
            layers: inside.layers,
            records: inside.contents.records.iter().map(Entry::new).collect(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let Description { tiles, layers, range, .. } = self;
        let mut lines = vec![
            format!(
                "{}: format version {}, {} bytes, ratio {}",
                self.input,
                self.version,
                self.bytes,
                digits(self.ratio)
            ),
            format!("event        {} {}, {} bytes", extents(self.shape), self.dtype, self.raw_bytes),
            format!("samples      0 or {} to {}, peak {}", range[0], range[1], self.peak),
            format!(
                "tiles        {}, {} along the axes, the largest {}",
                tiles.n,
                extents(tiles.counts),
                extents(tiles.largest)
            ),
            match &self.network {
                Some(_) => format!("mode         {}, fitted on {}", self.mode, self.device),
                None => format!("mode         {}", self.mode),
            },
        ];
        if let Some(bound) = &self.bound {
            lines.push(format!("error bound  {bound}"));
        }
        if let Some(n) = &self.network {
            lines.push(format!("network      {}", n.in_words()));
        }
        if let Some(c) = &self.coordinates {
            lines.push(format!("coordinates  {:?} to {:?}", c.lo, c.hi));
        }
        if let Some(transform) = &self.transform {
            lines.push(match transform {
                Value::Log2 { unit_exponent, center, scale } => {
                    format!("value        (sign(v) log2(1 + |v| / 2^{unit_exponent}) - {center}) / {scale}")
                }
                Value::Ln { offset, scale, cut } => {
                    format!("value        ln(v - {offset}) / {scale}; decoded values below {cut} are empty")
                }
            });
        }
        if let Some(prior) = &self.prior {
            lines.push(format!("prior        of contexts, hash {prior}"));
        }
        if let Some(start) = &self.start {
            lines.push(format!("prior        for fitting, hash {start}"));
        }
        lines.push(format!(
            "bytes        field {}, support {}, residual {}, raw {}, other {}",
            layers.field, layers.support, layers.residual, layers.raw, layers.other
        ));
        lines.push(String::new());
        let row = |e: &Entry| {
            vec![e.name.to_owned(), format!("{:#04x}", e.kind), e.offset.to_string(), e.bytes.to_string()]
        };
        let rows: Vec<Vec<String>> = self.records.iter().take(N_LISTED).map(row).collect();
        lines.extend(table(&["record", "type", "offset", "bytes"], &rows));
        if let Some(rest) = self.records.get(N_LISTED..).filter(|rest| !rest.is_empty()) {
            let n: u64 = rest.iter().map(|e| e.bytes).sum();
            lines.push(format!("and {} more of {n} bytes: --json lists them", rest.len()));
        }
        lines
    }
}

impl Network {
    fn new(spec: &NetSpec) -> Network {
        Network {
            model: spec.model.name(),
            hidden: spec.hidden,
            layers: spec.n_layers,
            heads: spec.n_heads,
            features: spec.n_features,
            n_weights: spec.n_weights(),
            constants: spec.model.constants().into_iter().collect(),
        }
    }

    fn in_words(&self) -> String {
        let sees = match self.features {
            0 => String::new(),
            k => format!(", {k} features of the support"),
        };
        // Written as they are stored, in single precision.
        let constant = |(name, x): (&&str, &f64)| format!(", {} {}", name.replace('_', " "), *x as f32);
        let constants: String = self.constants.iter().map(constant).collect();
        format!(
            "{}: {} hidden layers of {} units, {} heads, {} weights a tile{constants}{sees}",
            self.model, self.layers, self.hidden, self.heads, self.n_weights,
        )
    }
}

impl Entry {
    fn new(record: &Record<'_>) -> Entry {
        Entry {
            name: record_name(record),
            kind: record.kind,
            offset: record.offset,
            bytes: record_bytes(record),
        }
    }
}
