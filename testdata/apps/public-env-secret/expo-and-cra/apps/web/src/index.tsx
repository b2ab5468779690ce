export const token = process.env['REACT_APP_API_SECRET']; // want "public-env-secret"
