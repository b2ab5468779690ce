package gateway

import (
	"slices"

	"claviger.dev/claviger/openai"
)

// Routes lists every way in of the snapshot that serves, as "POST /tickets".
// A segment in braces stands for any one.
func (g *Gateway) Routes() []string {
	c := g.current.Load()
	var out []string
	for path, rt := range c.routes {
		out = append(out, rt.method+" "+path)
	}
	for _, row := range openai.Rows() {
		if c.open[row.Name] != nil {
			out = append(out, row.Method+" "+proxyPrefix+row.Path)
		}
	}
	slices.Sort(out)
	return out
}

// Gather is for tests.
var Gather = gather
