mod adapt;
mod audience;
mod draft;
mod lifecycle;
mod mix;
mod run;
