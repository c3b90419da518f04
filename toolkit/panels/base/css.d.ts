// A style that a script imports: it goes into the style of the bundle.

declare module "*.css";
