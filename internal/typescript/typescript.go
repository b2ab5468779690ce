// Package typescript writes the TypeScript types of actions from their JSON
// Schemas, for the client to check calls against while they are written.
//
// A type is as narrow as TypeScript can say: what it cannot say (lengths,
// patterns, ranges, conditions) stays wider than the schema, and the gateway
// refuses it when it comes.
package typescript

import (
	"fmt"
	"slices"
	"strings"

	"claviger.dev/claviger/internal/jsonx"
)

// Action is what the types of one action follow from.
type Action struct {
	// Name is the action's name.
	Name string
	// About is what stands above the action as its comment; may be empty.
	About string
	// Chat is an action that takes messages; its Input is not looked at.
	Chat bool
	// Input is the schema of the input, an object schema.
	Input jsonx.Value
	// Output is the schema of the answer; the zero Value answers in text.
	Output jsonx.Value
	// Usage says that callers are told the tokens.
	Usage bool
}

const head = `// Written by 'claviger types' from the actions of %s.
// Do not change it by hand: change the configuration, and run the command again.

import '@claviger/client';

`

// Declarations is the text of a declaration file that gives the interface
// Actions of @claviger/client the actions, sorted by name. source is the name
// of the configuration. The same actions give the same text, byte for byte.
func Declarations(source string, actions []Action) []byte {
	actions = slices.Clone(actions)
	slices.SortFunc(actions, func(a, b Action) int { return strings.Compare(a.Name, b.Name) })
	var body strings.Builder
	body.WriteString("declare module '@claviger/client' {\n  interface Actions {\n")
	named := &names{taken: map[string]bool{}}
	for _, a := range actions {
		writeComment(&body, "    ", comment(a.About))
		fmt.Fprintf(&body, "    %s: {\n", property(a.Name))
		fmt.Fprintf(&body, "      input: %s;\n", inputOf(a, named))
		fmt.Fprintf(&body, "      output: %s;\n", outputOf(a, named))
		body.WriteString("    };\n")
	}
	body.WriteString("  }\n}\n")
	return []byte(fmt.Sprintf(head, singleLine(source)) + strings.Join(named.text, "") + body.String())
}

const chatInput = `{
        messages: {
          role: 'user' | 'assistant';
          content: string;
        }[];
      }`

func inputOf(a Action, named *names) string {
	if a.Chat {
		return chatInput
	}
	w := newWriter(a.Input, named, a.Name+" input")
	w.defaulted = true
	return w.root("      ")
}

const usage = "        /** The tokens, where the provider reported them. */\n" +
	"        usage?: {\n          input_tokens: number;\n          output_tokens: number;\n        };\n"

// outputOf is the whole answer of the gateway. An answer by schema that was cut
// or refused has no data.
func outputOf(a Action, named *names) string {
	more := ""
	if a.Usage {
		more = usage
	}
	if a.Output.IsZero() {
		return "{\n        text: string;\n        finish: 'stop' | 'length' | 'refused';\n" + more + "      }"
	}
	data := newWriter(a.Output, named, a.Name+" output").root("        ")
	return "{\n        data: " + data + ";\n        finish: 'stop';\n" + more + "      } | {\n" +
		"        data: null;\n        finish: 'length' | 'refused';\n" + more + "      }"
}

// names are the types that schemas refer to, which stand in front.
type names struct {
	taken map[string]bool
	text  []string
}

// claim makes a name of words that no other type has.
func (n *names) claim(words string) string {
	var b strings.Builder
	up := true
	for _, r := range words {
		switch {
		case 'a' <= r && r <= 'z' && up:
			b.WriteRune(r - 'a' + 'A')
			up = false
		case 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9':
			b.WriteRune(r)
			up = false
		default:
			up = true
		}
	}
	base := b.String()
	if base == "" || base[0] <= '9' {
		base = "Action" + base
	}
	name := base
	for i := 2; n.taken[name]; i++ {
		name = fmt.Sprintf("%s%d", base, i)
	}
	n.taken[name] = true
	return name
}
