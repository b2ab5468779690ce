package app

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authz"
	"claviger.dev/claviger/internal/jsonx"
)

// explanation is what explain found. It holds names of the configuration, and of
// the credential who its holder is: no token, and no value of a claim.
type explanation struct {
	Allowed bool
	Code    claviger.Code
	Status  int
	Rule    string
	Reason  string
	Plan    string
	Asked   []askedText
	Caller  *callerText
	Steps   []authz.Step
	Caps    []string
	Limits  []limitText
	Prices  []priceText
}

// askedText is what an authenticator said.
type askedText struct {
	Authenticator string `json:"authenticator"`
	Outcome       string `json:"outcome"`
	Detail        string `json:"detail,omitzero"`
}

// callerText is who the caller is.
type callerText struct {
	Realm     string   `json:"realm"`
	Subject   string   `json:"subject"`
	Pseudonym string   `json:"pseudonym"`
	Roles     []string `json:"roles,omitzero"`
	Claims    []string `json:"claims,omitzero"`
	Expires   string   `json:"expires,omitzero"`
	Plan      string   `json:"plan,omitzero"`
	Actions   []string `json:"actions,omitzero"`
	Service   string   `json:"service,omitzero"`
	MintedBy  string   `json:"minted_by,omitzero"`
	TokenID   string   `json:"token_id,omitzero"`
}

type limitText struct {
	Scope string `json:"scope"`
	Limit string `json:"limit"`
}

// stepText is a rule that was looked at.
type stepText struct {
	Rule      string `json:"rule"`
	Passed    bool   `json:"passed"`
	Plan      string `json:"plan,omitzero"`
	Condition string `json:"condition,omitzero"`
	Text      string `json:"text"`
}

func (x *explanation) asked(authenticator, outcome, detail string) {
	x.Asked = append(x.Asked, askedText{authenticator, outcome, detail})
}

func (x *explanation) writeJSON(w io.Writer) error {
	out := struct {
		Allowed        bool          `json:"allowed"`
		Status         int           `json:"status"`
		Code           claviger.Code `json:"code,omitzero"`
		Rule           string        `json:"rule"`
		Reason         string        `json:"reason"`
		Plan           string        `json:"plan,omitzero"`
		Authenticators []askedText   `json:"authenticators"`
		Caller         *callerText   `json:"caller,omitzero"`
		Steps          []stepText    `json:"steps"`
		Caps           []string      `json:"caps"`
		Limits         []limitText   `json:"limits"`
		Prices         []priceText   `json:"prices"`
	}{
		x.Allowed, x.Status, x.Code, x.Rule, x.Reason, x.Plan, x.Asked, x.Caller, nil, x.Caps, x.Limits, x.Prices,
	}
	for _, s := range x.Steps {
		out.Steps = append(out.Steps, stepText{s.Rule, s.Passed, s.Plan, s.Condition, s.Text})
	}
	b, err := jsonx.Marshal(out)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", b)
	return err
}

func (x *explanation) writeText(w io.Writer) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	x.head(t)
	if len(x.Steps) > 0 {
		fmt.Fprintln(t, "Rules, in order")
	}
	for _, s := range x.Steps {
		mark, plan, text := "no", s.Plan, s.Text
		if s.Passed {
			mark = "yes"
		}
		if s.Condition != "" {
			text += ": " + strings.Join(strings.Fields(s.Condition), " ")
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", mark, s.Rule, plan, text)
	}
	if len(x.Caps) > 0 {
		fmt.Fprintln(t, "Caps of one call")
	}
	for _, c := range x.Caps {
		fmt.Fprintf(t, "  %s\n", c)
	}
	if len(x.Limits) > 0 {
		fmt.Fprintln(t, "Limits that a call is charged to")
	}
	for _, l := range x.Limits {
		fmt.Fprintf(t, "  %s\t%s\n", l.Scope, l.Limit)
	}
	if len(x.Prices) > 0 {
		fmt.Fprintln(t, "Prices")
	}
	for _, p := range x.Prices {
		fmt.Fprintf(t, "  %s\t%s\ta %s\n", p.What, p.Price, p.Per)
	}
	verdict := "Refused with " + strconv.Itoa(x.Status) + " " + string(x.Code)
	if x.Allowed {
		verdict = "Allowed by the plan " + x.Plan
	}
	fmt.Fprintf(t, "%s (%s): %s\n", verdict, x.Rule, x.Reason)
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (x *explanation) head(w io.Writer) {
	fmt.Fprintln(w, "Authenticators, in order")
	for _, a := range x.Asked {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", a.Authenticator, a.Outcome, a.Detail)
	}
	c := x.Caller
	if c == nil {
		return
	}
	fmt.Fprintln(w, "Caller")
	for _, f := range [][2]string{
		{"realm", c.Realm},
		{"subject", strconv.QuoteToGraphic(c.Subject)},
		{"pseudonym", c.Pseudonym},
		{"roles", quotedList(c.Roles)},
		{"claims", quotedList(c.Claims)},
		{"expires", c.Expires},
		{"plan", c.Plan},
		{"actions", strings.Join(c.Actions, ", ")},
		{"service", c.Service},
		{"minted by", c.MintedBy},
		{"token id", quotedList(some(c.TokenID))},
	} {
		if f[1] != "" {
			fmt.Fprintf(w, "  %s\t%s\n", f[0], f[1])
		}
	}
}

func some(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// quotedList quotes names that a credential brought, so that they do not steer a
// terminal.
func quotedList(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strconv.QuoteToGraphic(s)
	}
	return strings.Join(out, ", ")
}

func capsOf(d *claviger.Decision) []string {
	var out []string
	for _, o := range d.Oblige {
		switch o.Kind {
		case claviger.ObligeMaxInput:
			out = append(out, fmt.Sprintf("at most %d input tokens", o.Limit))
		case claviger.ObligeMaxOutput:
			out = append(out, fmt.Sprintf("at most %d output tokens", o.Limit))
		case claviger.ObligeTools:
			out = append(out, "tools: "+strings.Join(o.Values, ", "))
		case claviger.ObligeToolCalls:
			out = append(out, fmt.Sprintf("at most %d calls of hosted tools where the call names no number", o.Limit))
		}
	}
	return out
}

var periods = map[claviger.Period]string{
	claviger.PeriodSecond: "/s", claviger.PeriodMinute: "/min", claviger.PeriodHour: "/h", claviger.PeriodDay: "/day", claviger.PeriodMonth: "/month",
}

// limitWords says a limit, as "requests: 60/min".
func limitWords(l claviger.Limit) string {
	amount := strconv.FormatInt(l.Window.Limit, 10)
	if l.Kind == claviger.ChargeMoney {
		amount = claviger.Money{Micros: l.Window.Limit, Currency: l.Window.Currency}.String()
	}
	return string(l.Kind) + ": " + amount + periods[l.Window.Per]
}
