package rules

import (
	"strings"

	"claviger.dev/claviger/internal/check/flow"
	"claviger.dev/claviger/internal/check/report"
)

// inlined are the settings that a build copies into code for browsers.
var inlined = [][]string{
	{"env"},
	{"publicRuntimeConfig"},
	{"compiler", "define"},
	{"define"},
	{"extra"},
	{"expo", "extra"},
	{"runtimeConfig", "public"},
	{"vite", "define"},
	{"appConfig"},
	{"app", "config"},
	{"renderer", "define"},
	{"source", "define"},
	{"nitro_", "public"},
	{"html", "templateParameters"},
	{"publicEnv"},
}

// configuration reports secrets that a build's configuration makes public.
func (p *project) configuration(in *flow.Interp, f string, m *flow.Module) {
	conf := in.Export(m, "default")
	if conf.Kind == flow.Outside && len(conf.Args) > 0 && conf.Args[0].Kind == flow.Function {
		conf = conf.Args[0]
	}
	if conf.Kind == flow.Function {
		r := in.Do(flow.Root{Fn: conf, Module: m, Node: m.Root, Args: func(*flow.Interp) []*flow.Value {
			return []*flow.Value{flow.NewRecord(map[string]*flow.Value{"config": flow.NewRecord(nil), "mode": flow.NewRecord(nil)}), flow.NewRecord(nil)}
		}})
		conf = r.Result
		p.defines(r)
	}
	conf = unwrap(conf, 0)
	for _, way := range inlined {
		v := conf
		for _, k := range way {
			v = unwrap(v.Prop(k), 0)
		}
		p.inlinedParts(v, flow.Place{Module: m, Node: m.Root}, 0)
	}
	if hook := conf.Prop("webpack"); hook.Kind == flow.Function {
		p.defines(in.Do(flow.Root{Fn: hook, Module: m, Node: m.Root, Args: func(*flow.Interp) []*flow.Value {
			return []*flow.Value{flow.NewRecord(nil), flow.NewRecord(map[string]*flow.Value{"webpack": flow.Known("webpack#default")})}
		}}))
	}
	p.defines(in.Sweep(m))
	p.rewrites(in, conf, m)
	_ = f
}

// unwrap looks through the functions that configurations are handed to.
func unwrap(v *flow.Value, depth int) *flow.Value {
	if v == nil || depth > 5 {
		return flow.NewRecord(nil)
	}
	if v.Props == nil {
		for _, a := range v.Args {
			if u := unwrap(a, depth+1); len(u.Props) > 0 {
				return u
			}
		}
		if v.Recv != nil {
			return unwrap(v.Recv, depth+1)
		}
	}
	return v
}

// defines reports secrets that a plug-in of the bundler inlines.
func (p *project) defines(r *flow.Run) {
	for _, c := range r.Calls {
		if strings.Contains(c.Symbol, "DefinePlugin") || strings.Contains(c.Symbol, "EnvironmentPlugin") || strings.HasSuffix(c.Symbol, "#replace") || strings.Contains(c.Symbol, "plugin-replace") {
			for _, a := range c.Args {
				p.inlinedParts(a, c.At, 0)
			}
		}
	}
}

func (p *project) inlinedParts(v *flow.Value, place flow.Place, depth int) {
	if v == nil || depth > 6 {
		return
	}
	if len(v.Props) > 0 {
		for _, k := range flow.Keys(v) {
			pl := v.Places[k]
			if pl.Node == nil {
				pl = place
			}
			p.inlinedParts(v.Props[k], pl, depth+1)
		}
		return
	}
	d := flow.Deep(v)
	name, ok := "", false
	if flow.WholeEnvironment(v) {
		name, ok = "the whole environment", true
	}
	for _, s := range d.Secrets {
		if certain(s.Name) || !s.Public {
			name, ok = s.Name, true
		}
	}
	for _, i := range v.Items {
		if i.Kind == flow.Text && flow.SecretName(i.Str) && strings.ToUpper(i.Str) == i.Str {
			name, ok = i.Str, true
		}
	}
	if !ok {
		return
	}
	p.add(report.Finding{
		Rule: "config-inlined-secret", Severity: report.SeverityCritical, Confidence: report.ConfidenceLikely,
		Message: "The build writes " + name + " into code for browsers.", At: at(place, ""), Path: origin(d),
	})
}

// rewrites reports rewrites that go to a provider with a key in them.
func (p *project) rewrites(in *flow.Interp, conf *flow.Value, m *flow.Module) {
	fn := conf.Prop("rewrites")
	if fn.Kind != flow.Function {
		return
	}
	r := in.Do(flow.Root{Fn: fn, Module: m, Node: m.Root})
	var each func(v *flow.Value, depth int)
	each = func(v *flow.Value, depth int) {
		if v == nil || depth > 3 {
			return
		}
		for _, i := range v.Items {
			each(i, depth+1)
		}
		for _, k := range []string{"beforeFiles", "afterFiles", "fallback"} {
			if q := v.Props[k]; q != nil {
				each(q, depth+1)
			}
		}
		d := v.Prop("destination")
		if !flow.ProviderURL(d.Str) {
			return
		}
		_, keyed := private(flow.Deep(d))
		if !keyed && !p.injects(in, m) {
			return
		}
		place := v.Places["destination"]
		if s := v.Places["source"]; s.Node != nil {
			place = s
		}
		for _, rule := range []string{"missing-auth", "missing-rate-limit"} {
			p.add(report.Finding{
				Rule: rule, Severity: report.SeverityCritical, Confidence: report.ConfidenceLikely,
				Message: "This rewrite sends everybody's requests to a provider, with the owner's key.", At: at(place, ""),
			})
		}
	}
	each(r.Result, 0)
}

// injects reports whether a middleware puts a secret into a request's headers.
func (p *project) injects(in *flow.Interp, near *flow.Module) bool {
	for _, f := range p.files {
		base := strings.TrimSuffix(f, f[strings.LastIndexByte(f, '.'):])
		if !strings.HasSuffix(base, "middleware") && !strings.HasSuffix(base, "proxy") {
			continue
		}
		m := in.Module(f)
		if m == nil {
			continue
		}
		for _, v := range variables(m.Root) {
			if v.secret && strings.Contains(strings.ToLower(p.texts[f]), "authorization") {
				return true
			}
		}
	}
	_ = near
	return false
}
