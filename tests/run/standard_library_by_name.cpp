// `-lstdc++` finds the C++ standard library, where only the compiler's directory has the plain name.
//# Native: no
//# Inputs: -search-sys-lib standard_library_by_name.cpp -lstdc++
//# Stdout: 3 sorted
#include <algorithm>
#include <iostream>
#include <map>
#include <string>
#include <vector>
int main() {
    std::vector<std::string> words{"c", "a", "b"};
    std::sort(words.begin(), words.end());
    std::map<std::string, int> index;
    for (auto &word : words)
        index[word]++;
    std::cout << index.size() << (words[0] == "a" ? " sorted" : " unsorted") << std::endl;
}
