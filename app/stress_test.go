package app

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/authn/ticket"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/internal/testnet"
	"claviger.dev/claviger/keys"
	"claviger.dev/claviger/openaitest"
)

// stressCallers come at once, in each of the rounds that CLAVIGER_STRESS says,
// or in one.
const stressCallers = 300

func stressRounds(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("CLAVIGER_STRESS"))
	if err != nil && os.Getenv("CLAVIGER_STRESS") != "" {
		t.Fatal("CLAVIGER_STRESS is a number of rounds")
	}
	return max(n, 1)
}

// stressConfig has limits that the crowd exceeds, every one of them.
const stressConfig = `environment: development
listen: 127.0.0.1:0
admin: {listen: 127.0.0.1:0}
identity_key: env:IDENTITY_KEY
upstream: {timeouts: {headers: 1500ms, idle: 1s}}
auth: [{ticket: {secrets: [env:TICKET_SECRET]}}]
plans:
  - name: all
    models: [gpt-4.1-mini]
    limits: {concurrency: 3, tokens: 20k/month, spend: 1 USD/month, max_output_tokens: 200}
limits:
  total: {concurrency: 30, spend: 0.02 USD/month}
actions:
  tidy: {path: /api/ai/generate, model: gpt-4.1-mini, instructions: Correct the text., input: {type: object, required: [prompt], additionalProperties: false, properties: {prompt: {type: string, maxLength: 200}}}}
proxy: {endpoints: [responses, chat.completions]}
`

// stressDatabase is the PostgreSQL of the tests of this package.
var stressDatabase = testnet.Postgres{Settings: []string{"fsync=off", "full_page_writes=off"}}

// engines are the places where limits and sums can be kept.
var engines = []struct {
	name string
	// storage adds to the configuration what is needed.
	storage func(s *site) string
	// sums says that the database keeps sums; long that it takes CLAVIGER_STRESS.
	sums, long bool
}{
	{"memory", func(*site) string { return "storage: {database: memory}\n" }, false, true},
	{"memory and SQLite", func(*site) string { return "" }, true, false},
	{"memory and PostgreSQL", func(s *site) string {
		s.vars["DATABASE"] = stressDatabase.URL(s.t)
		return "storage: {database: env:DATABASE}\n"
	}, true, true},
	{"Redis and PostgreSQL", func(s *site) string {
		s.vars["REDIS"], _ = redisServer(s.t, shortDir(s.t))
		s.vars["DATABASE"] = stressDatabase.URL(s.t)
		return "storage: {database: env:DATABASE, limits: env:REDIS}\n"
	}, true, false},
}

// TestStress lets 300 callers at once at a gateway of each kind, plainly and
// streaming; some leave, and the provider fails at random. Nothing is granted
// beyond a limit at any moment, nothing is held when all is quiet, a call that
// ended well has used what the provider counted, and any other at least that and
// at most what was held for it (M-L3, M-T4).
func TestStress(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			if e.long && os.Getenv("CLAVIGER_STRESS") == "" {
				t.Skip("CLAVIGER_STRESS is not set")
			}
			s := newSite(t)
			s.write("claviger.yaml", stressConfig+e.storage(s))
			w := newOnlooker(t)
			s.watch = w.over
			p := s.start("serve")
			began := time.Now().UTC()
			c := newCrowd(s)
			for range stressRounds(t) {
				c.run([]*process{p}, stressCallers)
			}
			// Where the machine was too busy for the store to answer so many in time,
			// little was spent: fewer go on until it is enough.
			for end := time.Now().Add(3 * time.Minute); w.refusals(claviger.CodeBudgetExhausted) == 0 && time.Now().Before(end); {
				c.run([]*process{p}, stressCallers/10)
			}
			w.quiet("")
			t.Logf("%v; refusals: %v; after %v", c.statuses, w.denied, time.Since(began).Round(time.Millisecond))
			w.tell()
			if w.refusals(claviger.CodeBudgetExhausted) == 0 {
				t.Errorf("the budget was not reached: %v", w.denied)
			}
			p.stop()
			if began.Month() != time.Now().UTC().Month() {
				t.Skip("the month ended in the middle")
			}
			if exact, bounded := c.check(t, w); exact == 0 || bounded == 0 {
				t.Errorf("%v: not everything happened that this is about", c.statuses)
			}
			if e.sums {
				c.checkSums(t, w)
			}
		})
	}
}

// tell logs how far the windows of everybody were filled.
func (w *onlooker) tell() {
	for _, name := range slices.Sorted(maps.Keys(w.windows)) {
		if x := w.windows[name]; x.charge.Scope == "total" {
			w.t.Logf("%s: at most %d of %d, %d at the end", name, x.most, x.charge.Window.Limit, x.taken)
		}
	}
}

// crowd are callers with tickets, and what became of their calls.
type crowd struct {
	*site
	tickets   *ticket.Authenticator
	pseudonym func(claviger.Principal) string

	mu sync.Mutex
	// misfortunes are what the provider does, by chance; leave is of how many
	// callers one leaves, 0 for nobody.
	misfortunes []string
	leave       int
	// well says of a caller whether all of their calls ended well.
	well map[string]bool
	// how says how they ended, for who reads a failure.
	how      map[string]string
	statuses map[int]int
	made     int
}

func newCrowd(s *site) *crowd {
	s.t.Helper()
	tickets, err := ticket.New(ticket.Options{Secrets: []claviger.Secret{claviger.NewSecret([]byte(s.ticketSecret))}})
	if err != nil {
		s.t.Fatal(err)
	}
	return &crowd{
		site: s, tickets: tickets, well: map[string]bool{}, how: map[string]string{}, statuses: map[int]int{},
		misfortunes: misfortunes, leave: 5,
		pseudonym: keys.NewIdentity(claviger.NewSecret([]byte(s.identity))).Pseudonym,
	}
}

// key is whose window a caller's is.
func (c *crowd) key(name string) string {
	return "user:" + c.pseudonym(claviger.Principal{Realm: "app", Subject: name})
}

// run has so many call at once. Every tenth is the same person.
func (c *crowd) run(ps []*process, callers int) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range callers {
		often := ""
		if i%10 == 0 {
			often = "caller-often-"
		}
		name, token := c.mint(often)
		p := ps[i%len(ps)]
		wg.Go(func() {
			<-start
			c.come(p, name, token)
		})
	}
	close(start)
	wg.Wait()
}

// come has one caller call until there is a seat, and notes how that ended.
func (c *crowd) come(p *process, name, token string) (status int) {
	leaves := c.leave > 0 && rand.IntN(c.leave) == 0
	status, well, how := c.call(p, name, token, leaves)
	for try := 0; status < 0 && try < 200; try++ {
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		status, well, how = c.call(p, name, token, leaves)
	}
	c.note(name, status, well, how)
	return status
}

func (c *crowd) note(name string, status int, well bool, how string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, known := c.well[name]
	c.well[name] = well && (before || !known)
	c.how[name] += how + "; "
	c.statuses[status]++
}

// mint makes a ticket for one more caller.
func (c *crowd) mint(name string) (caller, token string) {
	c.t.Helper()
	c.mu.Lock()
	c.made++
	if name == "" {
		name = fmt.Sprintf("caller-%d-", c.made)
	}
	c.mu.Unlock()
	token, _, err := c.tickets.Mint(context.Background(), ticket.Request{Subject: name})
	if err != nil {
		c.t.Error(err)
	}
	return name, token
}

// misfortunes are what the provider does to some calls, by chance.
var misfortunes = []string{
	"", "", "", "", "", "", "[[fault:500]]", "[[fault:cut after=2]]", "[[fault:hang]]", "[[fault:stall after=2]]", "[[fault:slow delta=5ms]]",
	"[[fault:truncated]]", "[[fault:no-usage]]",
}

// call makes one call, leaves it if it is to, and says how it ended: 0 for who
// left, less than 0 where there was no seat or the limits were not known, and
// whether the whole answer came.
func (c *crowd) call(p *process, name, token string, leaves bool) (status int, well bool, how string) {
	fault := c.misfortunes[rand.IntN(len(c.misfortunes))]
	words := fmt.Sprintf("%s write %d words %s", name, rand.IntN(60)+1, fault)
	path, body, end := "/v1/chat/completions", fmt.Sprintf(`{"model":"gpt-4.1-mini","messages":[{"role":"user","content":%q}]}`, words), `"usage"`
	switch rand.IntN(4) {
	case 0:
		path, body = "/api/ai/generate", fmt.Sprintf(`{"prompt":%q}`, words)
		end = `"finish"`
	case 1:
		body, end = strings.Replace(body, "{", `{"stream":true,`, 1), "data: [DONE]"
	case 2:
		path, body, end = "/v1/responses", fmt.Sprintf(`{"model":"gpt-4.1-mini","stream":true,"input":%q}`, words), "event: response.completed"
	}
	defer func() { how = fmt.Sprint(path, " ", strings.Contains(body, "stream"), " ", words, " ", status) }()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if leaves {
		defer time.AfterFunc(time.Duration(rand.IntN(400))*time.Millisecond, cancel).Stop()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.public+path, strings.NewReader(body))
	if err != nil {
		return 0, false, ""
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, false, ""
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil && ctx.Err() != nil {
		return 0, false, ""
	}
	if strings.Contains(string(text), "too_many_in_flight") || strings.Contains(string(text), "limits_unavailable") {
		return -resp.StatusCode, false, ""
	}
	return resp.StatusCode, err == nil && resp.StatusCode == http.StatusOK && strings.Contains(string(text), end) && !strings.Contains(fault, "no-usage"), ""
}

// counted is what the provider charged for the calls of each caller.
func (c *crowd) counted(t *testing.T) (tokens, cost map[string]int64) {
	t.Helper()
	tokens, cost = map[string]int64{}, map[string]int64{}
	prices := admit.DefaultPrices()
	for _, call := range c.sim.Calls() {
		_, after, ok := strings.Cut(string(call.Body), "caller-")
		name, _, _ := strings.Cut(after, "- ")
		if len(call.Body) == 0 && call.Usage == (openaitest.Tokens{}) {
			continue // it was given up before it had come
		}
		if !ok {
			t.Fatalf("whose call is this? %s", call.Body)
		}
		key := c.key("caller-" + name + "-")
		u := call.Usage
		tokens[key] += u.Input + u.Output
		money, ok := prices.Cost("gpt-4.1-mini", claviger.Units{
			{Kind: claviger.UnitInput, Amount: u.Input}, {Kind: claviger.UnitCachedInput, Amount: u.Cached}, {Kind: claviger.UnitOutput, Amount: u.Output},
		})
		if !ok {
			t.Fatal("the model has no price")
		}
		cost[key] += money.Micros
	}
	return tokens, cost
}

// check holds what was settled for each caller to what the provider counted.
func (c *crowd) check(t *testing.T, w *onlooker) (exact, bounded int) {
	t.Helper()
	tokens, cost := c.counted(t)
	exact, bounded = 0, 0
	for _, kind := range []claviger.ChargeKind{claviger.ChargeTokens, claviger.ChargeMoney} {
		counted := tokens
		if kind == claviger.ChargeMoney {
			counted = cost
		}
		held, used := w.sums(kind)
		for name, well := range c.well {
			key := c.key(name)
			switch {
			case well:
				exact++
				if used[key] != counted[key] || used[key] == 0 {
					t.Errorf("%s of %s (%s): %d settled, the provider counted %d", kind, name, c.how[name], used[key], counted[key])
				}
			default:
				bounded++
				if used[key] < counted[key] || used[key] > held[key] {
					t.Errorf("%s of %s (%s): %d settled, the provider counted %d, and %d were held", kind, name, c.how[name], used[key], counted[key], held[key])
				}
			}
		}
	}
	t.Logf("%d sums equal what the provider counted, %d lie between that and what was held", exact, bounded)
	return exact, bounded
}

// checkSums holds what the database says was used to what was settled.
func (c *crowd) checkSums(t *testing.T, w *onlooker) {
	t.Helper()
	code, out, errs := c.command("usage", "--by", "user", "--format", "json")
	if code != 0 {
		t.Fatalf("usage: exit %d: %s", code, errs)
	}
	v, err := jsonx.Parse([]byte(out))
	if err != nil {
		t.Fatal(err)
	}
	_, used := w.sums(claviger.ChargeTokens)
	calls := int64(0)
	for _, row := range v.Elems() {
		number := func(name string) int64 {
			x, _ := row.Get(name)
			n, _ := x.Int()
			return n
		}
		user, _ := row.Get("name")
		calls += number("calls")
		if got := number("input") + number("output"); got != used["user:"+user.Str()] {
			t.Errorf("the database says that %s used %d tokens, %d were settled", user.Str(), got, used["user:"+user.Str()])
		}
	}
	t.Logf("the database counts %d calls of %d people", calls, v.Len())
	if answered := int64(c.made - c.statuses[0]); calls < answered {
		t.Errorf("the database counts %d calls, and %d callers were answered", calls, answered)
	}
}
