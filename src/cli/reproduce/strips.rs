//! Task 1 as a picture: one layer of an event, by factor and by who fills the voxels that were left out.

use super::super::draw::{fullest, samples_of};
use super::super::output::digits;
use inrfit::error::{Error, Result};
use inrfit::event::Event;
use inrfit_figures::{Format, Record, Strip, StripRow, Strips};

/// The picture, as far as it has come.
pub struct StripsOf {
    layer: usize,
    shape: [usize; 3],
    truth: Vec<f32>,
    picture: Strips,
}

impl StripsOf {
    /// The columns: the truth, and then `methods`.
    ///
    /// The layer is the fullest of those with an odd index, which every stride along layers leaves out.
    pub fn new(input: &str, event: &Event, methods: Vec<String>, length: &str) -> StripsOf {
        let shape = event.shape();
        let occupied = |i: usize| event.samples().get(i) != 0.0;
        let layer = fullest(shape, 2, &occupied, &|layer| shape[2] == 1 || layer % 2 == 1);
        let picture = Strips {
            title: format!("{input}, layer {layer}: fit on fewer voxels, asked for all, {length}"),
            columns: [vec!["true".to_owned()], methods].concat(),
            rows: Vec::new(),
            axis_names: ["azimuth", "z"].map(str::to_owned),
            value_name: "ADC".to_owned(),
        };
        let mut strips = StripsOf { layer, shape, truth: Vec::new(), picture };
        strips.truth = strips.cut(event);
        strips
    }

    /// Begins the row of a factor.
    pub fn begin(&mut self, factor: u64) {
        let mut panels = vec![None; self.picture.columns.len()];
        panels[0] = Some(self.strip(self.truth.clone(), String::new()));
        let name = match factor {
            1 => "all voxels".to_owned(),
            _ => format!("1 of {factor}"),
        };
        self.picture.rows.push(StripRow { name, panels });
    }

    /// What `method` makes of the event in the row that was begun last, with the errors of `row`.
    pub fn add(&mut self, method: &str, decoded: &Event, row: &Record) {
        let figure = |name: &str, value: Option<f64>| value.map(|v| format!("{name} {}", digits(v)));
        let figures = [figure("log-MAE", row.log_mae), figure("MSE", row.mse)];
        let note = figures.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let strip = self.strip(self.cut(decoded), note);
        self.put(method, strip);
    }

    /// That `method` has nothing to fill: every voxel is known.
    pub fn add_exact(&mut self, method: &str) {
        let strip = self.strip(self.truth.clone(), "the event itself".to_owned());
        self.put(method, strip);
    }

    /// The picture.
    ///
    /// # Errors
    /// Only where the drawing library fails.
    pub fn render(&self, format: Format) -> Result<Vec<u8>> {
        self.picture.render(format).map_err(|e| Error::argument(e.to_string()))
    }

    fn put(&mut self, method: &str, strip: Strip) {
        let column = self.picture.columns.iter().skip(1).position(|name| name == method);
        if let (Some(column), Some(row)) = (column, self.picture.rows.last_mut()) {
            row.panels[column + 1] = Some(strip);
        }
    }

    fn strip(&self, values: Vec<f32>, note: String) -> Strip {
        Strip { shape: [self.shape[0], self.shape[1]], values, note }
    }

    fn cut(&self, event: &Event) -> Vec<f32> {
        samples_of(event).into_iter().skip(self.layer).step_by(self.shape[2]).collect()
    }
}
