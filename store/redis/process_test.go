package redis_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/store/redis"
)

// childURL and childKey make this program a node instead of a test.
const (
	childURL = "CLAVIGER_TEST_REDIS"
	childKey = "CLAVIGER_TEST_NAME_KEY"
)

const (
	processSeats  = 6
	processBudget = 300_000
	processTTL    = 4 * time.Second
)

func processCharges(amount int64) []claviger.Charge {
	return []claviger.Charge{
		charge(claviger.ChargeLease, "total:all", 1, processSeats, claviger.PeriodNone),
		charge(claviger.ChargeMoney, "total:all", amount, processBudget, claviger.PeriodMonth),
	}
}

// child is a node of its own: it calls and settles until it is killed, or until
// nothing is left, and writes down what it was granted and what it used.
func child() {
	a, err := redis.Open(context.Background(), redis.Options{
		URL:      claviger.NewSecret([]byte(os.Getenv(childURL))),
		NameKey:  claviger.NewSecret([]byte(os.Getenv(childKey))),
		LeaseTTL: processTTL, Timeout: 30 * time.Second,
	})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	for range 4 {
		go func() {
			for {
				amount := rand.Int64N(90) + 10
				h, err := a.Admit(context.Background(), processCharges(amount))
				if err != nil {
					if codeOf(err) == claviger.CodeLimitsUnavailable {
						fmt.Println("error", err)
					}
					continue
				}
				used := rand.Int64N(amount + 1)
				// Written before it is settled: what is written is at least what
				// Redis can know.
				fmt.Println("used", used, amount)
				if err := h.Settle(context.Background(), processCharges(used)[1:]); err != nil {
					fmt.Println("error", err)
				}
			}
		}()
	}
	time.Sleep(10 * time.Minute)
}

// node is a child and the sums of what it wrote.
type node struct {
	cmd        *exec.Cmd
	calls      atomic.Int64
	used, held int64
	done       chan struct{}
}

func (s *server) node(key string) *node {
	s.t.Helper()
	n := &node{cmd: exec.Command(os.Args[0]), done: make(chan struct{})}
	n.cmd.Env = append(os.Environ(), childURL+"=unix://"+s.socket(), childKey+"="+key)
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(n.done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			f := strings.Fields(lines.Text())
			if len(f) != 3 || f[0] != "used" {
				s.t.Errorf("a node says %q", lines.Text())
				continue
			}
			used, _ := strconv.ParseInt(f[1], 10, 64)
			held, _ := strconv.ParseInt(f[2], 10, 64)
			n.used, n.held = n.used+used, n.held+held
			n.calls.Add(1)
		}
	}()
	return n
}

// make waits until the node made that many calls more.
func (n *node) make(t *testing.T, calls int64) {
	t.Helper()
	calls += n.calls.Load()
	for began := time.Now(); n.calls.Load() < calls; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("the node makes no calls")
		}
	}
}

func (n *node) kill() {
	_ = n.cmd.Process.Kill()
	<-n.done
	_ = n.cmd.Wait()
}

// TestProcesses lets two processes call, kills one of them in the middle of its
// calls and the other later, and looks at Redis when the leases have expired.
func TestProcesses(t *testing.T) {
	s := start(t)
	key := strings.Repeat("k", 40)
	one, two := s.node(key), s.node(key)
	one.make(t, 100)
	two.make(t, 100)
	one.kill()
	two.make(t, 100)
	two.kill()
	a := s.open(t, redis.Options{NameKey: claviger.NewSecret([]byte(key)), LeaseTTL: processTTL})
	time.Sleep(processTTL + 100*time.Millisecond)
	cs := processCharges(0)
	cs[0].Amount = 0
	h, err := a.Admit(t.Context(), cs)
	if err != nil {
		t.Fatal(err)
	}
	st := h.Standings()
	if err := h.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st[0].Remaining != processSeats {
		t.Errorf("%d of %d seats are left", st[0].Remaining, processSeats)
	}
	spent, written := processBudget-st[1].Remaining, one.used+two.used
	t.Logf("%d and %d calls, %d written as used, %d spent of %d", one.calls.Load(), two.calls.Load(), written, spent, processBudget)
	// Up to eight calls were cut off, of at most 99 each: they count as held.
	if spent < written || spent > written+8*99 || spent > processBudget {
		t.Errorf("%d spent, but %d written as used", spent, written)
	}
	if keys := s.keys(); len(keys) != 1 {
		t.Errorf("left in Redis: %q", keys)
	}
}
