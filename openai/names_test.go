package openai_test

import "claviger.dev/claviger/internal/jsonx"

// lost are members that OpenAI's examples have and that stay here on purpose.
var lost = []string{
	".tools[].domains", // of an older document of web search
}

// names lists the places of all members.
func names(v jsonx.Value) []string { return appendNames(nil, "", v) }

func appendNames(out []string, at string, v jsonx.Value) []string {
	for _, e := range v.Items() {
		out = appendNames(out, at+"[]", e)
	}
	for name, x := range v.Fields() {
		out = append(out, at+"."+name)
		out = appendNames(out, at+"."+name, x)
	}
	return out
}
