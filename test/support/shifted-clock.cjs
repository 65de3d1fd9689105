/* Preloaded into a child: its wall clock is off by SHIFT_HOURS. The monotonic clock is left alone. */
const shift = Number(process.env.SHIFT_HOURS) * 3_600_000;
const RealDate = Date;
globalThis.Date = class Date extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + shift);
    else super(...args);
  }
  static now() {
    return RealDate.now() + shift;
  }
};
