package openai

import "claviger.dev/claviger"

// Metered names what a call of an endpoint with this model is metered by, each kind
// with a small amount. It is nil for an endpoint that is not in the table or runs
// no model.
func Metered(e claviger.Endpoint, model string) claviger.Units {
	for _, row := range Rows() {
		if row.Name != e || row.modelless {
			continue
		}
		r := &Request{row: row, policy: &Policy{}, images: 1, media: media{characters: 1, speakers: 1}}
		r.call.Model = model
		if row.bound == nil {
			r.call.MaxOutput = 1
		} else {
			row.bound(r)
		}
		u := claviger.Units{{Kind: claviger.UnitInput, Amount: max(r.media.input, 1)}, {Kind: claviger.UnitOutput, Amount: r.call.MaxOutput}}
		return append(u, r.call.Extra...)
	}
	return nil
}
