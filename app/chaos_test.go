package app

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"claviger.dev/claviger/internal/testnet"
)

const chaosConfig = `environment: development
listen: 127.0.0.1:0
admin: {listen: 127.0.0.1:0}
identity_key: env:IDENTITY_KEY
auth: [{ticket: {secrets: [env:TICKET_SECRET]}}]
plans: [{name: all, models: [gpt-4.1-mini], limits: {concurrency: 3, tokens: 1M/month, spend: 5 USD/month, max_output_tokens: 200}}]
limits: {total: {concurrency: 12, spend: 100 USD/month}}
actions:
  tidy: {path: /api/ai/generate, model: gpt-4.1-mini, instructions: Correct the text., input: {type: object, required: [prompt], additionalProperties: false, properties: {prompt: {type: string, maxLength: 200}}}}
proxy: {endpoints: [responses, chat.completions]}
`

// slowWay passes connections on to a socket, and holds back what passes.
type slowWay struct {
	net.Listener
	to    string
	delay atomic.Int64
	wg    sync.WaitGroup
}

func newSlowWay(t *testing.T, to string) *slowWay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &slowWay{Listener: l, to: to}
	w.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.wg.Go(func() { w.pass(c) })
		}
	})
	return w
}

// close ends it when all that went through it has ended.
func (w *slowWay) close() {
	_ = w.Close()
	w.wg.Wait()
}

func (w *slowWay) pass(near net.Conn) {
	far, err := net.Dial("unix", w.to)
	if err != nil {
		_ = near.Close()
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		both.Go(func() {
			buf := make([]byte, 64<<10)
			for {
				n, err := way[0].Read(buf)
				time.Sleep(time.Duration(w.delay.Load()))
				if _, broken := way[1].Write(buf[:n]); err != nil || broken != nil {
					_ = way[0].Close()
					_ = way[1].Close()
					return
				}
			}
		})
	}
	both.Wait()
}

// chaos is two gateways on one Redis and one PostgreSQL under load.
type chaos struct {
	*crowd
	t        *testing.T
	redis    *testnet.Process
	dir      string
	toRedis  *slowWay
	toTables *slowWay
	ps       []*process
	w        *onlooker
}

// troubles are what befalls them. end is nil where begin is all.
var troubles = []struct {
	name       string
	begin, end func(c *chaos)
	long       bool
}{
	{"none", func(*chaos) {}, nil, false},
	{"Redis stands still", func(c *chaos) { c.redis.Pause() }, func(c *chaos) { c.redis.Resume() }, true},
	{"Redis is killed and starts again", func(c *chaos) { c.redis.Kill() }, func(c *chaos) { c.redis = redisProcess(c.t, c.dir) }, false},
	{"Redis is 20 ms away", func(c *chaos) { c.toRedis.delay.Store(int64(20 * time.Millisecond)) }, func(c *chaos) { c.toRedis.delay.Store(0) }, true},
	{"Redis is 2 s away", func(c *chaos) { c.toRedis.delay.Store(int64(2 * time.Second)) }, func(c *chaos) { c.toRedis.delay.Store(0) }, true},
	{"PostgreSQL stands still", func(*chaos) { stressDatabase.Process().Pause() }, func(*chaos) { stressDatabase.Process().Resume() }, false},
	{"PostgreSQL crashes", func(c *chaos) { stressDatabase.Restart(c.t) }, nil, true},
	{"PostgreSQL is 200 ms away", func(c *chaos) { c.toTables.delay.Store(int64(200 * time.Millisecond)) }, func(c *chaos) { c.toTables.delay.Store(0) }, true},
}

// TestTroubles has engines stop, start anew and become slow under load, and says
// what callers saw. Nothing is granted beyond a limit at any moment, and when all
// is quiet as much is left as was settled, no seat is taken, and no charge is
// missing in the sums; served again without a restart (M-L3).
func TestTroubles(t *testing.T) {
	s := newSite(t)
	c := &chaos{crowd: newCrowd(s), t: t, dir: shortDir(t), w: newOnlooker(t)}
	c.misfortunes, c.leave = []string{""}, 0
	c.redis = redisProcess(t, c.dir)
	c.toRedis = newSlowWay(t, filepath.Join(c.dir, "s"))
	database := stressDatabase.URL(t)
	c.toTables = newSlowWay(t, stressDatabase.Socket())
	name, _, _ := strings.Cut(strings.TrimPrefix(database, "postgres:///"), "?")
	s.vars["REDIS"] = "redis://" + c.toRedis.Addr().String()
	s.vars["DATABASE"] = fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", c.toTables.Addr(), name)
	s.write("claviger.yaml", chaosConfig+"storage: {database: env:DATABASE, limits: env:REDIS}\n")
	s.watch = c.w.over
	c.ps = []*process{s.start("serve"), s.start("serve")}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "TROUBLE\t200\t429\t503\tOTHER\tSERVED AGAIN AFTER\n")
	for _, x := range troubles {
		if x.long && os.Getenv("CLAVIGER_STRESS") == "" {
			continue
		}
		seen, after := c.suffer(x.begin, x.end)
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%v\n", x.name, seen[200], seen[429], seen[503], seen[0], after.Round(time.Millisecond))
		c.w.quiet("total")
	}
	c.w.quiet("")
	_ = table.Flush()
	t.Logf("two gateways, 16 callers, one after another each\n%s", text.String())
	c.ps[0].stop()
	c.ps[1].stop()
	if exact, _ := c.check(t, c.w); exact == 0 {
		t.Error("no call ended well")
	}
	c.checkSums(t, c.w)
	c.toRedis.close()
	c.toTables.close()
}

// suffer has callers come while something happens. The statuses count calls, and
// 0 any that the table has no column for.
func (c *chaos) suffer(begin, end func(*chaos)) (seen map[int]int, after time.Duration) {
	var mu sync.Mutex
	seen = map[int]int{}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				status := c.once(c.ps[i%2])
				mu.Lock()
				if status != 200 && status != 429 && status != 503 {
					status = 0
				}
				seen[status]++
				mu.Unlock()
				if status != 200 {
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	begin(c)
	if end != nil {
		time.Sleep(1200 * time.Millisecond)
		end(c)
	}
	ended := time.Now()
	for _, p := range c.ps {
		p.until("served again", func() bool { return c.once(p) == http.StatusOK })
	}
	after = time.Since(ended)
	time.Sleep(200 * time.Millisecond)
	close(stop)
	wg.Wait()
	return seen, after
}

// once makes one call by somebody new.
func (c *chaos) once(p *process) int {
	name, token := c.mint("")
	status, well, how := c.call(p, name, token, false)
	c.note(name, status, well, how)
	status = max(status, -status)
	return status
}

// TestDiskFull: when the database finds no room, calls are refused rather than
// not counted; with room it serves again, and has forgotten nothing.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=0700"); err != nil {
		if os.Getenv("CI") != "true" {
			t.Skip("a file system of its own takes root: ", err)
		}
		testnet.Lacking(t, "a file system of its own takes root: "+err.Error())
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := newSite(t)
	w := newOnlooker(t)
	s.watch = w.over
	s.write("claviger.yaml", strings.Replace(siteConfig, "environment: development", "environment: development\nstate: "+dir, 1))
	p := s.start("serve")
	ticket := s.ticket()
	if r := p.generate(ticket); r.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(f, endless{})
	t.Logf("the disk is full: %v", err)
	_ = f.Close()
	granted := 0
	p.until("calls are refused", func() bool {
		r := p.generate(ticket)
		if r.StatusCode == http.StatusOK {
			granted++
		}
		return r.StatusCode == http.StatusServiceUnavailable && strings.Contains(r.body, "limits_unavailable")
	})
	before := s.sim.Count("")
	for range 10 {
		if r := p.generate(ticket); r.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("with a full disk: %d %s", r.StatusCode, r.body)
		}
	}
	if n := s.sim.Count(""); n != before {
		t.Errorf("%d calls went to the provider", n-before)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	p.until("calls are served", func() bool { return p.generate(ticket).StatusCode == http.StatusOK })
	w.quiet("")
	p.stop()
	p = s.start("serve")
	w.quiet("")
	p.stop()
	t.Logf("%d calls were granted before it was noticed", granted)
}

type endless struct{}

// Read implements io.Reader.
func (endless) Read(p []byte) (int, error) { return len(p), nil }
