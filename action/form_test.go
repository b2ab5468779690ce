package action

import (
	"net/url"
	"testing"
)

func TestForm(t *testing.T) {
	a := generate(t, withInput(t, `{
		"required": ["text", "sure", "kind"],
		"properties": {
			"text": {"type": "string", "maxLength": 5},
			"words": {"type": "integer", "maximum": 9},
			"rate": {"type": ["number", "null"]},
			"sure": {"type": "boolean"},
			"kind": {"enum": ["a", "b", 3, true]},
			"tags": {"type": "array", "items": {"type": "string"}},
			"nums": {"type": "array", "items": {"type": "integer"}},
			"who": {"type": "object"},
			"any": {},
			"mail": {"type": "string", "format": "email"}
		}}`))
	for form, want := range map[string]string{
		"text=hi&kind=a":                                 `{"text":"hi","sure":false,"kind":"a"}`,
		"text=hi&kind=a&sure=on":                         `{"text":"hi","sure":true,"kind":"a"}`,
		"text=hi&kind=3&sure=true":                       `{"text":"hi","sure":true,"kind":3}`,
		"text=hi&kind=true&sure=0":                       `{"text":"hi","sure":false,"kind":true}`,
		"text=hi&kind=b&words=5&rate=1.5":                `{"text":"hi","words":5,"rate":1.5,"sure":false,"kind":"b"}`,
		"text=hi&kind=b&words=+7+&rate=-2e1":             `{"text":"hi","words":7,"rate":-2e1,"sure":false,"kind":"b"}`,
		"text=hi&kind=b&words=&rate=&mail=&tags=&any=":   `{"text":"hi","sure":false,"kind":"b"}`,
		"text=5&kind=b&any=5":                            `{"text":"5","sure":false,"kind":"b","any":"5"}`,
		"text=a%0D%0Ab&kind=a":                           `{"text":"a\nb","sure":false,"kind":"a"}`,
		"text=a%0D%0Ab%0D%0A&kind=a":                     `{"text":"a\nb\n","sure":false,"kind":"a"}`,
		"text=hi&kind=a&tags=x&tags=y&tags=x":            `{"text":"hi","sure":false,"kind":"a","tags":["x","y","x"]}`,
		"text=hi&kind=a&nums=1&nums=2":                   `{"text":"hi","sure":false,"kind":"a","nums":[1,2]}`,
		"text=hi&kind=a&mail=a%40b.example":              `{"text":"hi","sure":false,"kind":"a","mail":"a@b.example"}`,
		"text=hi%3C%2Fscript%3E&kind=a":                  "!text", // too long
		"text=&kind=a":                                   "!text",
		"text=+&kind=a":                                  "!text",
		"kind=a":                                         "!text",
		"":                                               "!text",
		"text=hi&text=ho&kind=a":                         "!text",
		"text=%ff&kind=a":                                "!text",
		"text=hi&kind=c":                                 "!kind",
		"text=hi&kind=":                                  "!kind",
		"text=hi":                                        "!kind",
		"text=hi&kind=a&kind=b":                          "!kind",
		"text=hi&kind=a&sure=maybe":                      "!sure",
		"text=hi&kind=a&words=five":                      "!words",
		"text=hi&kind=a&words=5.5":                       "!words",
		"text=hi&kind=a&words=10":                        "!words",
		"text=hi&kind=a&words=0x5":                       "!words",
		"text=hi&kind=a&words=05":                        "!words",
		"text=hi&kind=a&words=NaN":                       "!words",
		"text=hi&kind=a&nums=1&nums=x":                   "!nums",
		"text=hi&kind=a&who=%7B%7D":                      "!who",
		"text=hi&kind=a&mail=x":                          "!mail",
		"text=hi&kind=a&extra=1":                         "!extra",
		"text=hi&kind=a&%24ACTION_ID_1=1":                "!input",
		"text=hi&kind=a&mail=x&zz=1":                     "!mail",
		"text=toolong&kind=a&words=x":                    "!text", // the first at fault, whatever found it
		"words=x&kind=a":                                 "!text",
		"text=hi&kind=a&words=x&mail=x":                  "!words",
		"text=hi&kind=a&prompt=%7B%7Btext%7D%7D&model=x": "!model",
	} {
		values, err := url.ParseQuery(form)
		if err != nil {
			t.Fatal(form, err)
		}
		b, err := a.BindForm(values)
		if want[0] == '!' {
			if err == nil {
				t.Errorf("%s must be refused", form)
			} else if e := refusalOf(t, err); e.Sentence() != "Invalid "+want[1:] || e.Param != want[1:] {
				t.Errorf("%s: got %q, want %q", form, e.Sentence(), want[1:])
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		if got := prompt(t, b); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", form, got, want)
		}
	}
}

func TestFormOfTheDefaultAction(t *testing.T) {
	a := generate(t)
	b, err := a.BindForm(url.Values{"prompt": {"Hello"}})
	if err != nil || prompt(t, b) != "Hello" {
		t.Error(err)
	}
	_, err = a.BindForm(nil)
	if e := refusalOf(t, err); e.Sentence() != "Invalid prompt" {
		t.Error(e)
	}
}

func TestFormDoesNotChangeTheCallersFields(t *testing.T) {
	form := url.Values{"prompt": {"a\r\nb"}}
	if _, err := generate(t).BindForm(form); err != nil || form.Get("prompt") != "a\r\nb" {
		t.Error(form, err)
	}
}

func TestChatHasNoForm(t *testing.T) {
	_, err := generate(t, chatty).BindForm(url.Values{"messages": {"x"}})
	if e := refusalOf(t, err); e.Sentence() != "Invalid messages" {
		t.Error(e)
	}
}
