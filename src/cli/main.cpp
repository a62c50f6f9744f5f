// `pawl` is a program without types of its own: it serves the built-in ones.
#include <pawl/program.hpp>

int main(int argc, char** argv) {
    pawl::Program program;
    return program.main(argc, argv);
}
