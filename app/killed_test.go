package app

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/openaitest"
	"claviger.dev/claviger/store/redis"
)

// nodeName makes this program a gateway of its own, whose holds live for
// nodeLease instead of 20 minutes.
const (
	nodeName  = "claviger-node"
	nodeLease = 4 * time.Second
)

func nodeEnvironment() Environment {
	env, b := OS(), standardBounds()
	b.lease = nodeLease
	env.bounds = &b
	return env
}

// node starts a gateway as a process of its own.
func (s *site) node() (*process, *exec.Cmd) {
	s.t.Helper()
	cmd := exec.Command(os.Args[0], "serve")
	cmd.Args[0], cmd.Dir = nodeName, s.dir
	for name, value := range s.vars {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	p := &process{site: s, out: &output{}, errs: &output{}, client: &http.Client{Transport: &http.Transport{}}}
	listening := make(chan struct{})
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			_, _ = fmt.Fprintln(p.errs, lines.Text())
			if _, rest, ok := strings.Cut(lines.Text(), "msg=listening public="); ok && p.public == "" {
				public, rest, _ := strings.Cut(rest, " admin=")
				admin, _, _ := strings.Cut(rest, " ")
				p.public, p.admin = "http://"+public, "http://"+admin
				close(listening)
			}
		}
	}()
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
		p.client.CloseIdleConnections()
		if s.t.Failed() {
			s.t.Logf("a node said:\n%s", p.errs)
		}
	})
	select {
	case <-listening:
	case <-read:
		s.t.Fatalf("a node ended:\n%s", p.errs)
	case <-time.After(patience):
		s.t.Fatalf("a node does not listen:\n%s", p.errs)
	}
	return p, cmd
}

// sums is what the database says that people used, by whose window it is.
func (s *site) sums() (tokens map[string]int64) {
	s.t.Helper()
	code, out, errs := s.command("usage", "--by", "user", "--format", "json")
	v, err := jsonx.Parse([]byte(out))
	if code != 0 || err != nil {
		s.t.Fatalf("usage: exit %d: %s %v", code, errs, err)
	}
	tokens = map[string]int64{}
	for _, row := range v.Elems() {
		name, _ := row.Get("name")
		for _, kind := range []string{"input", "output"} {
			x, _ := row.Get(kind)
			n, _ := x.Int()
			tokens["user:"+name.Str()] += n
		}
	}
	return tokens
}

// TestAKilledNode kills one of two gateways on one Redis and one PostgreSQL in
// the middle of its calls. Together they never have more calls at the provider
// than there are seats, and never spend more than the budget; the seats of the
// dead one are free when its holds have expired, and what they held counts as
// used; of the sums nothing is missing but what it had not written yet.
func TestAKilledNode(t *testing.T) {
	const seats, budget = 30, 26_000
	s := newSite(t)
	address, _ := redisServer(t, shortDir(t))
	s.vars["REDIS"], s.vars["DATABASE"] = address, stressDatabase.URL(t)
	s.write("claviger.yaml", strings.NewReplacer("0.02 USD", "0.026 USD", "headers: 1500ms, idle: 1s", "headers: 1500ms, idle: 1s, total: 3s").Replace(stressConfig)+
		"storage: {database: env:DATABASE, limits: env:REDIS}\n")
	dead, cmd := s.node()
	alive, _ := s.node()
	c := newCrowd(s)

	// What was written before stays, whatever becomes of who wrote it.
	c.misfortunes, c.leave = []string{""}, 0
	c.run([]*process{dead}, 20)
	early, _ := c.counted(t)
	alive.until("the calls before are in the sums", func() bool {
		got := s.sums()
		for key, n := range early {
			if got[key] != n {
				return false
			}
		}
		return len(early) > 0
	})

	c.misfortunes, c.leave = misfortunes, 5
	before := s.sim.Count("")
	var wg sync.WaitGroup
	wg.Go(func() { c.run([]*process{dead, alive}, stressCallers) })
	if err := s.sim.Wait(t.Context(), func(calls openaitest.Calls) bool { return len(calls) >= before+40 }); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	t.Logf("%v", c.statuses)

	a, err := redis.Open(t.Context(), redis.Options{
		URL: claviger.NewSecret([]byte(address)), NameKey: claviger.NewSecret([]byte(s.identity)), LeaseTTL: nodeLease,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	seat := claviger.Charge{Key: "total:all", Kind: claviger.ChargeLease, Window: claviger.Window{Limit: seats}}
	money := claviger.Charge{Key: "total:all", Kind: claviger.ChargeMoney, Window: claviger.Window{Limit: budget, Per: claviger.PeriodMonth, Currency: "USD"}}
	left := func() (int64, int64) {
		h, err := a.Admit(context.Background(), []claviger.Charge{seat, money})
		if err != nil {
			t.Fatal(err)
		}
		_ = h.Release(context.Background())
		return h.Standings()[0].Remaining, h.Standings()[1].Remaining
	}
	alive.until("the seats of the dead are free", func() bool {
		free, _ := left()
		return free == seats
	})
	_, rest := left()
	_, cost := c.counted(t)
	counted := int64(0)
	for _, n := range cost {
		counted += n
	}
	spent := budget - rest
	t.Logf("%d micros spent of %d; the provider counted %d", spent, int64(budget), counted)
	if spent < counted || spent > budget {
		t.Errorf("%d spent, the provider counted %d", spent, counted)
	}
	if n := atOnce(s.sim.Calls()); n > seats {
		t.Errorf("%d calls were at the provider at once, and there are %d seats", n, seats)
	}
	got := s.sums()
	for key, n := range early {
		if got[key] < n {
			t.Errorf("of %s %d tokens are in the sums, and %d were before", key, got[key], n)
		}
	}
	// The other serves on.
	token := s.ticket("--sub", "somebody-new")
	if r := alive.generate(token); r.StatusCode != http.StatusOK && r.StatusCode != http.StatusTooManyRequests {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

// atOnce is how many calls that ran to their end were at the provider at one
// time.
func atOnce(calls openaitest.Calls) (most int) {
	for _, at := range calls {
		n := 0
		for _, c := range calls {
			if !c.Canceled && !c.Ended.IsZero() && !c.Started.After(at.Started) && c.Ended.After(at.Started) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}
