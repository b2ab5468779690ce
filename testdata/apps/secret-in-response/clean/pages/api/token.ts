import jwt from 'jsonwebtoken';
export default function handler(req, res) {
  const token = jwt.sign({ sub: 'x' }, process.env.JWT_SECRET!, { expiresIn: '5m' });
  res.status(200).json({ token });
}
