export default function handler(req, res) {
  res.status(200).json({ env: process.env }); // want "secret-in-response"
}
