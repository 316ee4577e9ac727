//! Totals over inputs: one summary per codec and settings.

use crate::record::Record;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A figure of a [`Record`] that can be averaged or drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Metric {
    /// Mean squared error on raw ADC.
    Mse,
    /// Mean absolute error on raw ADC.
    Mae,
    /// Mean absolute error of log2(ADC + 1).
    #[default]
    LogMae,
    /// Mean squared error of log2(ADC + 1).
    LogMse,
    /// Peak signal-to-noise ratio, dB.
    PsnrDb,
    /// Precision of the occupancy.
    Precision,
    /// Recall of the occupancy.
    Recall,
    /// Largest absolute error on raw ADC.
    MaxError,
    /// Largest absolute error of log2(ADC + 1).
    MaxLogError,
    /// Share of the voxels that are truly occupied.
    Occupancy,
    /// Share of the clusters lost.
    ClustersLost,
    /// Fake clusters, as a share of the true ones.
    ClustersFake,
    /// Mean of decoded / original charge of clusters, less 1.
    ChargeBias,
    /// Standard deviation of decoded / original charge of clusters.
    ChargeSpread,
    /// Standard deviation of centroids on the first axis, in bins.
    ResidualAxis0,
    /// Standard deviation of centroids on the second axis, in bins.
    ResidualAxis1,
    /// Standard deviation of log2 of the ratio between neighbouring pads.
    PadRatioSpread,
    /// Seconds to encode.
    EncodeSeconds,
    /// Seconds to decode.
    DecodeSeconds,
    /// 10^6 bytes of samples encoded a second.
    EncodeMbPerS,
    /// 10^6 bytes of samples decoded a second.
    DecodeMbPerS,
}

impl Metric {
    /// All metrics, in the order of the columns.
    pub const ALL: [Metric; 21] = [
        Metric::Mse,
        Metric::Mae,
        Metric::LogMae,
        Metric::LogMse,
        Metric::PsnrDb,
        Metric::Precision,
        Metric::Recall,
        Metric::MaxError,
        Metric::MaxLogError,
        Metric::Occupancy,
        Metric::ClustersLost,
        Metric::ClustersFake,
        Metric::ChargeBias,
        Metric::ChargeSpread,
        Metric::ResidualAxis0,
        Metric::ResidualAxis1,
        Metric::PadRatioSpread,
        Metric::EncodeSeconds,
        Metric::DecodeSeconds,
        Metric::EncodeMbPerS,
        Metric::DecodeMbPerS,
    ];

    /// The column's name.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Mse => "mse",
            Metric::Mae => "mae",
            Metric::LogMae => "log_mae",
            Metric::LogMse => "log_mse",
            Metric::PsnrDb => "psnr_db",
            Metric::Precision => "precision",
            Metric::Recall => "recall",
            Metric::MaxError => "max_error",
            Metric::MaxLogError => "max_log_error",
            Metric::Occupancy => "occupancy",
            Metric::ClustersLost => "clusters_lost",
            Metric::ClustersFake => "clusters_fake",
            Metric::ChargeBias => "charge_bias",
            Metric::ChargeSpread => "charge_spread",
            Metric::ResidualAxis0 => "residual_axis0",
            Metric::ResidualAxis1 => "residual_axis1",
            Metric::PadRatioSpread => "pad_ratio_spread",
            Metric::EncodeSeconds => "encode_seconds",
            Metric::DecodeSeconds => "decode_seconds",
            Metric::EncodeMbPerS => "encode_mb_per_s",
            Metric::DecodeMbPerS => "decode_mb_per_s",
        }
    }

    /// What an axis says.
    pub fn label(self) -> &'static str {
        match self {
            Metric::Mse => "MSE (ADC²)",
            Metric::Mae => "MAE (ADC)",
            Metric::LogMae => "log-MAE, log2(ADC + 1)",
            Metric::LogMse => "log-MSE, log2(ADC + 1)",
            Metric::PsnrDb => "PSNR (dB)",
            Metric::Precision => "precision",
            Metric::Recall => "recall",
            Metric::MaxError => "largest error (ADC)",
            Metric::MaxLogError => "largest error, log2(ADC + 1)",
            Metric::Occupancy => "occupancy",
            Metric::ClustersLost => "share of clusters lost",
            Metric::ClustersFake => "fake clusters / clusters",
            Metric::ChargeBias => "bias of cluster charge",
            Metric::ChargeSpread => "spread of cluster charge",
            Metric::ResidualAxis0 => "centroid residual, axis 0 (bins)",
            Metric::ResidualAxis1 => "centroid residual, axis 1 (bins)",
            Metric::PadRatioSpread => "ratio of pads, log2",
            Metric::EncodeSeconds => "seconds to encode",
            Metric::DecodeSeconds => "seconds to decode",
            Metric::EncodeMbPerS => "MB/s to encode",
            Metric::DecodeMbPerS => "MB/s to decode",
        }
    }

    /// The figure in `row`, if it has it. NaN counts as missing.
    pub fn of(self, row: &Record) -> Option<f64> {
        let value = match self {
            Metric::Mse => row.mse,
            Metric::Mae => row.mae,
            Metric::LogMae => row.log_mae,
            Metric::LogMse => row.log_mse,
            Metric::PsnrDb => row.psnr_db,
            Metric::Precision => row.precision,
            Metric::Recall => row.recall,
            Metric::MaxError => row.max_error,
            Metric::MaxLogError => row.max_log_error,
            Metric::Occupancy => row.occupancy,
            Metric::ClustersLost => row.clusters_lost,
            Metric::ClustersFake => row.clusters_fake,
            Metric::ChargeBias => row.charge_bias,
            Metric::ChargeSpread => row.charge_spread,
            Metric::ResidualAxis0 => row.residual_axis0,
            Metric::ResidualAxis1 => row.residual_axis1,
            Metric::PadRatioSpread => row.pad_ratio_spread,
            Metric::EncodeSeconds => row.encode_seconds,
            Metric::DecodeSeconds => row.decode_seconds,
            Metric::EncodeMbPerS => row.encode_mb_per_s,
            Metric::DecodeMbPerS => row.decode_mb_per_s,
        };
        value.filter(|v| !v.is_nan())
    }

    /// One number for all inputs: the mean, but the largest of largest errors.
    pub fn total(self, spread: &Spread) -> f64 {
        match self {
            Metric::MaxError | Metric::MaxLogError => spread.max,
            _ => spread.mean,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Metric {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Metric::ALL.into_iter().find(|m| m.name() == text).ok_or_else(|| {
            let names = Metric::ALL.map(Metric::name).join(", ");
            crate::Error::data(format!("no metric '{text}'; there are {names}"))
        })
    }
}

/// One metric over several inputs, every input with the same weight.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Inputs that have the figure.
    pub n: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// The spread of `values`; none where there are none. NaN is left out.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut spread = Spread { n: 0, mean: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY };
        let mut sum = 0.0;
        for v in values.into_iter().filter(|v| !v.is_nan()) {
            spread.n += 1;
            sum += v;
            spread.min = spread.min.min(v);
            spread.max = spread.max.max(v);
        }
        spread.mean = sum / spread.n as f64;
        (spread.n > 0).then_some(spread)
    }
}

/// All inputs of one codec with one choice of settings.
///
/// Sizes are totals (total in / total out); every other figure is the mean over the inputs, all inputs with the same
/// weight whatever their number of voxels. Failed runs are counted and otherwise left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the codec.
    pub codec: String,
    /// Its settings.
    pub settings: String,
    /// Runs that succeeded.
    pub n_inputs: usize,
    /// Runs that failed.
    pub n_failed: usize,
    /// Bytes of the samples of all inputs.
    pub raw_bytes: u64,
    /// Bytes of all compressed files.
    pub bytes: u64,
    /// Total bytes in / total bytes out; none where nothing was written.
    pub ratio: Option<f64>,
    /// The ratios of the single inputs.
    pub ratio_spread: Option<Spread>,
    /// The other figures, for those that any input has.
    pub metrics: BTreeMap<Metric, Spread>,
}

/// One [`Summary`] per codec and settings, in the order of their first rows.
pub fn summarise(rows: &[Record]) -> Vec<Summary> {
    let mut order: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut groups: Vec<Vec<&Record>> = Vec::new();
    for row in rows {
        let slot = *order.entry((&row.codec, &row.settings)).or_insert(groups.len());
        if slot == groups.len() {
            groups.push(Vec::new());
        }
        groups[slot].push(row);
    }
    groups.iter().map(|group| summarise_group(group)).collect()
}

/// `group` is never empty: [`summarise`] makes one only to put a row in it.
fn summarise_group(group: &[&Record]) -> Summary {
    let good: Vec<&Record> = group.iter().copied().filter(|row| !row.failed()).collect();
    let sizes = || good.iter().filter_map(|row| Some((row.raw_bytes?, row.bytes?)));
    let raw_bytes = sizes().fold(0u64, |sum, (raw, _)| sum.saturating_add(raw));
    let bytes = sizes().fold(0u64, |sum, (_, packed)| sum.saturating_add(packed));
    let ratios = sizes().filter(|(_, packed)| *packed > 0).map(|(raw, packed)| raw as f64 / packed as f64);
    let metrics = Metric::ALL
        .into_iter()
        .filter_map(|m| Some((m, Spread::of(good.iter().filter_map(|row| m.of(row)))?)))
        .collect();
    Summary {
        codec: group.first().map(|row| row.codec.clone()).unwrap_or_default(),
        settings: group.first().map(|row| row.settings.clone()).unwrap_or_default(),
        n_inputs: good.len(),
        n_failed: group.len() - good.len(),
        raw_bytes,
        bytes,
        ratio: (bytes > 0).then(|| raw_bytes as f64 / bytes as f64),
        ratio_spread: Spread::of(ratios),
        metrics,
    }
}
