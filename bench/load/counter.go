package load

import "bytes"

// Counter counts the events of an event stream as its bytes come by, in pieces
// of any size. An event counts once its empty line is there; comments are none.
// It knows the two ends that streams of the API have: a chat stream's
// "data: [DONE]" and a responses stream's event "response.completed".
type Counter struct {
	events int
	ended  bool

	data  bool // the event at hand has data
	end   bool // the event at hand is the end of the stream
	done  bool // … as "[DONE]", which is no event
	line  [64]byte
	saved int  // bytes of an unfinished line in line
	long  bool // the unfinished line has more than fits
}

var (
	dataField = []byte("data:")
	doneData  = []byte("data: [DONE]")
	doneTight = []byte("data:[DONE]")
	completed = []byte("event: response.completed")
)

// Add counts what is in p.
func (c *Counter) Add(p []byte) {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			c.save(p)
			return
		}
		line := p[:i]
		if c.saved > 0 {
			c.save(line)
			line = c.line[:c.saved]
		}
		c.see(bytes.TrimSuffix(line, []byte("\r")))
		c.saved, c.long = 0, false
		p = p[i+1:]
	}
}

func (c *Counter) save(p []byte) {
	n := copy(c.line[c.saved:], p)
	c.saved += n
	c.long = c.long || n < len(p)
}

func (c *Counter) see(line []byte) {
	switch {
	case len(line) == 0:
		if c.data && !c.done {
			c.events++
		}
		c.ended = c.ended || c.data && c.end
		c.data, c.end, c.done = false, false, false
	case bytes.HasPrefix(line, dataField):
		c.data = true
		if !c.long && (bytes.Equal(line, doneData) || bytes.Equal(line, doneTight)) {
			c.end, c.done = true, true
		}
	case !c.long && bytes.Equal(line, completed):
		c.end = true
	}
}

// Events is how many events were complete so far.
func (c *Counter) Events() int { return c.events }

// Ended reports whether the stream's own end has come.
func (c *Counter) Ended() bool { return c.ended }
